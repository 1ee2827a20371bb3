/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* Allocation that never fails: without memory the program says so and exits with status 1. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
/* xrealloc for n elements; exits when n * size overflows. */
void *xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* Locals that own something: auto_free char *p = NULL; auto_close int fd = -1; */
void mem_auto_free(void *p);
void mem_auto_close(int *fd);
void mem_auto_fclose(void *f);
#define auto_free   __attribute__((cleanup(mem_auto_free)))
#define auto_close  __attribute__((cleanup(mem_auto_close)))
#define auto_fclose __attribute__((cleanup(mem_auto_fclose)))

/* Hands over what an auto_free pointer owns: return steal(&p); */
#define steal(pp)                             \
	(__extension__({                      \
		__typeof__(*(pp)) s_ = *(pp); \
		*(pp) = NULL;                 \
		s_;                           \
	}))
/* The same for a file descriptor. */
int steal_fd(int *fd);

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. Programs: build/kubecask-pack, build/install, build/lvscare.

VERSION := $(shell cat VERSION)
BUILD   ?= build
CACHE   := $(or $(KUBECASK_CACHE),$(HOME)/.cache/kubecask)
DEPS    := $(CACHE)/deps
export PATH := $(CACHE)/go/bin:$(PATH)
export KUBECASK_CACHE := $(CACHE)
# objects that were compiled before, also in another folder and with debug information
CCACHE  ?= $(shell command -v ccache)
export CCACHE_DIR := $(CACHE)/ccache
export CCACHE_NOHASHDIR := true

ifeq ($(origin CC),default) # make's own default is cc
CC      := gcc
endif
CFLAGS  ?= -O2
WARN    := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wvla \
           -Wwrite-strings -Wundef $(if $(WERROR)$(CI),-Werror)
SAN     := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
STATIC  := $(if $(SANITIZE),,-static)
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DKUBECASK_VERSION='"$(VERSION)"' $(WARN) $(CFLAGS) $(SAN) \
             -ffunction-sections -fdata-sections -fstack-protector-strong -MMD -MP -Icommon \
             -I. -Itests/unit -isystem $(DEPS)/libssh2/include -isystem $(DEPS)/mbedtls/include
ALL_LDFLAGS = -Wl,--gc-sections,--build-id=none $(SAN) $(LDFLAGS)

LIBS_common    := -ljansson -lcrypto
LIBS_packager  := -larchive -lzstd -ljansson -lcrypto
LIBS_installer := $(DEPS)/libssh2/lib/libssh2.a -lssl -lcrypto -larchive -lzstd -lz -lacl -lnettle -ljansson -lfyaml -lm
LIBS_lvscare   := $(addprefix $(DEPS)/mbedtls/lib/,libmbedtls.a libmbedx509.a libmbedcrypto.a) -ljansson

# lvscare's files stand in rooms
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*.c) $(if $(filter lvscare,$(1)),$(wildcard lvscare/*/*.c)))
inner   = $(filter-out %/main.o,$(call objects,$(1)))
# A test or fuzz target names the program whose objects it links in its first lines: /* links: lvscare */
links   = $(or $(shell sed -n 's|^/\* links: \([a-z]*\) \*/.*|\1|p' $(1)),common)
linked  = $(if $(filter common,$(1)),,$(call inner,$(1)))

PROGRAMS := $(BUILD)/kubecask-pack $(BUILD)/install $(BUILD)/lvscare
PARTS    := $(addprefix $(BUILD)/,pause netfilter-select log-runner nft)
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ     := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

all: $(PROGRAMS) $(PARTS) ## the three C programs and the image helpers (no Go, no network)

$(DEPS)/%/version:
	@echo "$* is missing: run scripts/deps once" >&2; exit 1
$(BUILD)/obj/%.o: %.c Makefile VERSION $(DEPS)/libssh2/version $(DEPS)/mbedtls/version
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(ALL_CFLAGS) $(MORE_CFLAGS) -c -o $@ $<
$(BUILD)/obj/tests/%.o: MORE_CFLAGS = -Wno-missing-prototypes $(foreach l,$(call links,$<),-I$l)
# On every node all the time: each page counts, and nothing in it is slow but Mbed TLS's big numbers (scripts/deps).
$(BUILD)/obj/lvscare/%.o: CFLAGS = -Os
$(BUILD)/obj/lvscare/%.o: MORE_CFLAGS = -Ilvscare
# The packager's own code is an input of what it makes (packager/sources.h).
GOBUILD_SOURCES := $(addprefix packager/,gobuild.c gomod.c licence.c tree.c patch.c part.c)
PACK_SOURCES    := $(sort $(wildcard packager/*.[ch] common/*.[ch]))
sum = "$(shell cat $(1) | sha256sum | cut -c1-64)"
$(BUILD)/obj/packager/sources.o: $(PACK_SOURCES)
$(BUILD)/obj/packager/sources.o: MORE_CFLAGS = -DSOURCES_GOBUILD='$(call sum,$(GOBUILD_SOURCES))' -DSOURCES_ALL='$(call sum,$(PACK_SOURCES))'
$(BUILD)/libcommon.a: $(call objects,common)
	@rm -f $@
	$(AR) rcsD $@ $^
$(BUILD)/kubecask-pack: $(call objects,packager) $(BUILD)/libcommon.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_packager)
$(BUILD)/install: $(call objects,installer) $(BUILD)/libcommon.a
	@# ld warns that names need glibc's shared libraries when resolved; addresses are numeric here
	$(CC) $(STATIC) -s $(ALL_LDFLAGS) -o $@ $^ $(LIBS_installer) 2>$@.ld || { cat $@.ld >&2; exit 1; }
	@sed '/in function `/d; /statically linked applications requires/d' $@.ld >&2; rm $@.ld
$(BUILD)/lvscare: $(call objects,lvscare) $(BUILD)/libcommon.a
	$(CC) $(STATIC) -s $(ALL_LDFLAGS) -o $@ $^ $(LIBS_lvscare)
$(BUILD)/pause: packager/parts/pause/pause.c
$(BUILD)/netfilter-select: packager/parts/netfilter-select/netfilter-select.c
$(BUILD)/log-runner: packager/parts/log-runner/log-runner.c
$(BUILD)/nft: packager/parts/nft/nft.c
$(PARTS): Makefile
	@mkdir -p $(@D)
	musl-gcc -std=gnu11 -D_GNU_SOURCE $(WARN) -Os -static -s -Wl,--build-id=none -o $@ $(filter %.c,$^)

program_objects = $(foreach p,packager installer lvscare,$(call inner,$(p)))
link = $(foreach l,$(call links,$(1)),$(call linked,$l) $(BUILD)/libcommon.a $(LIBS_$l))
$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libcommon.a $(program_objects)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $< $(call link,tests/unit/$*.c) -lcmocka -ljansson -lssl -lcrypto
# libFuzzer needs clang: these link with the objects of the sanitized build (scripts/test)
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/libcommon.a $(program_objects)
	@mkdir -p $(@D)
	$(CC) -fsanitize=fuzzer $(ALL_LDFLAGS) -o $@ $< $(call link,tests/fuzz/$*.c) -ljansson -lcrypto

# A variable that nobody reads would be a wish that is ignored.
package_variables := K8S_VERSION ZSTD_LEVEL OUT PACK_WORK PACK_KEEP ARCH SOURCE BUILD CC CFLAGS LDFLAGS CCACHE WERROR SANITIZE \
	CI VERSION KUBECASK_CACHE SOURCE_DATE_EPOCH GOPROXY GOSUMDB GOMODCACHE GOCACHE \
	http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY
given   = $(foreach v,$(MAKEOVERRIDES),$(if $(findstring =,$v),$(firstword $(subst =, ,$v))))
unknown = $(filter-out $(package_variables) -%,$(given))
package: ## K8S_VERSION=v1.37.2: the offline tarball, the installer and a sha256 file in dist/
	@$(if $(unknown),echo "make package: nothing reads $(unknown); it knows: $(package_variables)" >&2; exit 2)
	scripts/package
release: ## K8S_VERSIONS="v1.36.3 v1.37.2" [RELEASE_KEY=FILE]: dist/VERSION/ for each, SHA256SUMS, releases.json, index.html
	scripts/release
try: ## package, boot lab machines, ./install on them, show the nodes (stop: make try-down)
	scripts/try
try-down: ## end the machines of make try
	scripts/try-down
test: ## everything: unit, command line, fuzz, lint, then clusters on lab machines
	scripts/test all
check: ## without machines: unit and command line, plain and with ASan and UBSan
	scripts/test quick
test-long: ## the longer scenarios
	scripts/test long
e2e: ## SCENARIO=20-install: one scenario on lab machines
	scripts/test e2e $(SCENARIO)
conformance: ## upstream's conformance tests on lab machines [K8S_VERSION=...] [CONFORMANCE=smoke|all|REGEX]
	scripts/conformance
fuzz: ## every parser for FUZZ_SECONDS (10) under libFuzzer
	scripts/test fuzz
check-lint lint: ## formats, warnings of both compilers, analyzers, budgets
	scripts/lint
patches-check: ## apply, compile and test the kubeadm patches [K8S_VERSION=...]
	scripts/patches-check $(K8S_VERSION)
patches-check-all: ## the same for all versions of kubeadm-patches/versions
	scripts/patches-check $(shell cat kubeadm-patches/versions)
bench: ## measure, and print the table of docs/figures.md
	tests/bench/run
bench-lvscare: ## lvscare next to keepalived, haproxy and nginx under the same faults [TRIALS=20]
	tests/bench/lvscare
man: all ## man pages in build/man
	@mkdir -p $(BUILD)/man
	$(BUILD)/kubecask-pack --man >$(BUILD)/man/kubecask-pack.8
	$(BUILD)/install --man >$(BUILD)/man/kubecask.8
	$(BUILD)/lvscare --man >$(BUILD)/man/lvscare.8
source-objects: $(foreach d,common packager packager/parts/* installer lvscare,$(call objects,$(d)))
unit-objects: $(call objects,tests/unit)
unit-programs: $(UNIT)
fuzz-programs: $(FUZZ)
clean: ## remove build/ (dist/ stays)
	rm -rf $(BUILD)
help: ## this list
	@sed -n 's/^\([a-z -]*\):.*## /\1\t/p' Makefile | expand -t 16

.PHONY: all package release try try-down test check test-long e2e conformance fuzz check-lint lint patches-check patches-check-all bench \
	bench-lvscare \
	man source-objects unit-objects unit-programs fuzz-programs clean help
.DELETE_ON_ERROR:
.PRECIOUS: $(BUILD)/obj/tests/%.o
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

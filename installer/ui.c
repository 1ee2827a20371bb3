// SPDX-License-Identifier: Apache-2.0
#include "ui.h"

#include "host.h"
#include "jobs.h"
#include "link.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PLAIN_EVERY_MS 5000 /* between two progress lines of one machine without a terminal */
#define MB             1000000ULL

void ui_init(struct ui *ui)
{
	*ui = (struct ui){.out = stderr, .live = isatty(STDERR_FILENO), .began = now_ms()};
}

void ui_clear(struct ui *ui)
{
	if (ui->drawn)
		fputs("\r\033[K", ui->out);
	ui->drawn = false;
}

void ui_say(struct ui *ui, const char *fmt, ...)
{
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ui_clear(ui);
	fprintf(ui->out, "%7.1f s  %s\n", (double)(now_ms() - ui->began) / 1000, text);
	fflush(ui->out);
}

void ui_bytes(char *buf, size_t len, unsigned long long now, unsigned long long of)
{
	snprintf(buf, len, "%llu/%llu MB", now / MB, (of + MB - 1) / MB);
}

static void describe(const struct job *j, char *buf, size_t len)
{
	char bytes[48];

	if (j->of) {
		ui_bytes(bytes, sizeof(bytes), j->now, j->of);
		snprintf(buf, len, "%s %s", j->step, bytes);
	} else {
		snprintf(buf, len, "%s", *j->step ? j->step : j->label);
	}
}

/* Without a terminal: a line when the step changes, and now and then while bytes flow. */
void ui_job_progress(struct ui *ui, struct job *j)
{
	char text[200];
	bool moving = j->of > 0;

	if (ui->live || (moving && now_ms() - j->shown < PLAIN_EVERY_MS))
		return;
	j->shown = now_ms();
	describe(j, text, sizeof(text));
	ui_say(ui, "%s: %s", j->host->name, text);
}

void ui_job_done(struct ui *ui, struct job *j)
{
	double s = (double)(now_ms() - j->began) / 1000;

	if (j->failed)
		ui_say(ui, "%s: %s failed (%.1f s)", j->host->name, j->label, s);
	else if (s >= 0.5 && strcmp(j->label, "status") != 0) /* that is asked again and again */
		ui_say(ui, "%s: %s done (%.1f s)", j->host->name, j->label, s);
}

static int width(void)
{
	struct winsize ws;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 20 ? ws.ws_col : 80;
}

void ui_tick(struct ui *ui, const struct jobs *jobs)
{
	char line[1024] = "";
	size_t used = 0;

	if (!ui->live || now_ms() - ui->shown < UI_TICK_MS)
		return;
	ui->shown = now_ms();
	for (size_t i = 0; i < jobs->n && used < sizeof(line) - 1; i++) {
		const struct job *j = &jobs->v[i];
		char text[200];
		int n;

		if (!j->busy)
			continue;
		describe(j, text, sizeof(text));
		n = snprintf(line + used, sizeof(line) - used, "%s%s: %s", used ? "  " : "",
		             j->host->name, text);
		used += n > 0 ? (size_t)n : 0;
	}
	ui_clear(ui);
	if (!*line)
		return;
	fprintf(ui->out, "%.*s", width() - 1, line);
	fflush(ui->out);
	ui->drawn = true;
}

// SPDX-License-Identifier: Apache-2.0
#include "commands/once.h"
#include "commands/tool.h"
#include "config.h"
#include "err.h"
#include "events.h"
#include "log.h"
#include "loop.h"

static int run(struct config *c, struct err *err)
{
	struct events ev;

	events_init(&ev, 0);
	switch (c->action) {
	case ACTION_RUN_ONCE:
		return once_write(c, &ev, err);
	case ACTION_CLEAN:
		return once_clean(c, &ev, err);
	case ACTION_GUARD:
		return loop_run(c, err);
	case ACTION_MAN:
		config_man(tool_man);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct config c = {0};
	struct err err = {0};
	int rc;

	log_init("lvscare", LOG_LVL_INFO);
	if (tool_named(argc, argv)) {
		rc = tool_run(argc, argv, &err);
		return rc < 0 ? log_err(&err) : rc;
	}
	rc = config_parse(&c, argc, argv, &err);
	if (rc == 0) {
		log_init("lvscare", (enum log_level)c.log_level);
		log_json(c.log_json);
		if (c.ignored)
			log_warn("%s has no effect here", c.ignored);
		rc = run(&c, &err);
	}
	config_release(&c);
	return rc < 0 ? log_err(&err) : EXIT_OK;
}

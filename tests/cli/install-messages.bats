#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016 # status, output: of bats; backticks of Markdown
# docs/install.md's table "message, cause, way out" and the messages in the source: tests/messages compares them.

bats_require_minimum_version 1.5.0
TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
MESSAGES=$TOP/tests/messages

# tree TABLE-ROWS C-SOURCE [ELSEWHERE]: a small tree for the script to read
tree() {
	export MESSAGES_TOP=$BATS_TEST_TMPDIR/tree
	mkdir -p "$MESSAGES_TOP"/{docs,installer,common,tests}
	printf '# x\n## When something goes wrong\n\n| message | cause | way out |\n| --- | --- | --- |\n%s\n\n## Next\n' "$1" \
		>"$MESSAGES_TOP/docs/install.md"
	printf '%s\n' "$2" >"$MESSAGES_TOP/installer/x.c"
	printf '%s\n' "${3:-}" >"$MESSAGES_TOP/tests/messages-elsewhere"
}

@test "each message of the table is in the source" {
	"$MESSAGES" forward
	[ "$("$MESSAGES" table | wc -l)" -ge 20 ]
}

@test "each error of the source is in the table, or it is said why not" {
	"$MESSAGES" reverse
}

@test "messages of the table that the source no longer has are found" {
	tree '| `the disk ... is full` | c | w |' 'int f(void) { return err_set(err, "the disk %s is full", d); }'
	"$MESSAGES" forward
	tree '| `the disk ... is full` | c | w |' 'int f(void) { return err_set(err, "the disk %s is empty", d); }'
	run "$MESSAGES" forward
	[ "$status" -eq 1 ]
	[ "$output" = 'docs/install.md: "the disk ... is full" is in no string of the source' ]
}

@test "literals beside each other are one, comments are none" {
	tree '| `first second ... third "quoted"` | c | w |' \
		'int f(void) { return say("first " /* x */ "second %" PRIu64
			" third \"quoted\""); }'
	"$MESSAGES" forward
	tree '| `only in a comment` | c | w |' '/* "only in a comment" */ int x; // "only in a comment"'
	run ! "$MESSAGES" forward
	tree '| `first second` | c | w |' 'int f(void) { return say("first ", "second"); }'
	run ! "$MESSAGES" forward
}

@test "a row without cause or way out is refused" {
	tree '| `x` | w |' 'char *s = "x";'
	run "$MESSAGES" forward
	[ "$status" -eq 1 ]
	[[ $output == "not three cells that say something: "* ]]
	tree '| `x` |  | w |' 'char *s = "x";'
	run ! "$MESSAGES" forward
}

# many: calls enough for the script to believe that it reads the source
many() {
	printf 'err_set(err, "open %%s: %%s", path, "%d");\n' {1..50}
}

@test "an error that neither list has is found, in each of its forms" {
	local call
	for call in 'err_set(err, "the moon is not %s", "full")' 'err_set_code(err, f(1, 2), "the moon is not" " %s", x)' \
		'err_wrap(&e[1], "the moon is not " "%s", x)'; do
		tree '| `x` | c | w |' "$(many) $call;"
		run "$MESSAGES" reverse
		[ "$status" -eq 1 ]
		[ "$output" = "installer/x.c: 'the moon is not %s' is neither in docs/install.md's table nor in tests/messages-elsewhere" ]
		tree '| `the moon is not ...` | c | w |' "$(many) $call;"
		"$MESSAGES" reverse
		tree '| `x` | c | w |' "$(many) $call;" '^x\.c: the moon'
		"$MESSAGES" reverse
	done
}

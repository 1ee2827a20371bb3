#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # status, output: of bats
bats_require_minimum_version 1.5.0
# Bundles that are signed by kubecask-pack or by minisign itself, and what install takes.

load install-lib

PACK=${KUBECASK_BUILD:-$TOP/build}/kubecask-pack

setup() {
	W=$BATS_TEST_TMPDIR
	mkdir -p "$W/l" "$W/keys"
	layout "$W/l"
	B=$W/kubecask-v1.37.2-linux-amd64.tar
	pack "$W/l" "$B"
	"$PACK" keygen "$W/a" > "$W/out"
	A=$(grep -oE '[0-9A-F]{16}' "$W/out" | head -1)
}

verify() { # WORD...
	run "$INSTALL" verify --bundle "$B" "$@"
	echo "$output"
}

refused() { # TEXT
	[ "$status" -eq 65 ]
	[[ $output == *"$1"* ]]
}

second_key() {
	"$PACK" keygen "$W/b" > "$W/out"
	grep -oE '[0-9A-F]{16}' "$W/out" | head -1
}

# signature ID: the text of that key's
signature() {
	tar xOf "$B" "index.json.$1.minisig"
}

# repack [NAME FILE]: the bundle anew, with files instead of members
repack() {
	rm -rf "$W/x" && mkdir "$W/x"
	tar xf "$B" -C "$W/x"
	while [ $# -gt 1 ]; do
		cp "$2" "$W/x/$1"
		shift 2
	done
	sha256sum < "$W/x/index.json" | cut -d' ' -f1 > "$W/x/index.json.sha256"
	# shellcheck disable=SC2046 # names without blanks
	pack "$W/x" "$B" $(cd "$W/x" && ls index.json.*.minisig)
	rm -f "$B.sha256"
}

@test "keygen: the secret key is for its owner alone, files that are there stay" {
	[ "$(stat -c %a "$W/a")" = 600 ]
	run "$PACK" keygen "$W/a"
	[ "$status" -eq 1 ]
	[[ $output == *"$W/a.pub is there already, it stays as it is"* ]]
	rm "$W/a.pub"
	run "$PACK" keygen "$W/a"
	[ "$status" -eq 1 ]
	[[ $output == *"create $W/a: File exists"* ]]
	run "$PACK" keygen
	[ "$status" -eq 2 ]
	[[ $output == *"keygen: one file"* ]]
	openssl pkey -in "$W/a" -noout -text | grep ED25519
}

@test "a signed bundle: minisign takes it, skopeo reads it, once more replaces the signature" {
	"$PACK" sign "$B" --key "$W/a"
	(cd "$W" && sha256sum -c "$B.sha256")
	mkdir "$W/x"
	tar xf "$B" -C "$W/x"
	minisign -V -p "$W/a.pub" -m "$W/x/index.json" -x "$W/x/index.json.$A.minisig"
	skopeo inspect --raw "oci-archive:$B:example.org/a:1" | jq -e .layers
	"$PACK" sign "$B" --key "$W/a"
	[ "$(tar tf "$B" | head -5 | xargs)" = "oci-layout index.json index.json.sha256 index.json.$A.minisig $(tar tf "$B" | sed -n 5p)" ]
	[ "$(tar tf "$B" | grep -c minisig)" = 1 ]
	cp "$W/a.pub" "$W/keys"
	verify --keys "$W/keys"
	[ "$status" -eq 0 ]
	[[ $output == *"every byte matches its digest; signed by $A"* ]]
	"$INSTALL" verify --json --bundle "$B" --keys "$W/keys" | jq -e .signed
	[[ $("$INSTALL" verify --bundle "$B" 2>&1) == *"signed, but no key to check that with is known"* ]]
}

@test "keys beside the program: an unsigned bundle is refused before anything is connected" {
	mkdir "$W/alone" "$W/alone/keys"
	cp "$INSTALL" "$W/alone/"
	cp "$W/a.pub" "$W/alone/keys/"
	run "$W/alone/install" --bundle "$B" --master 127.0.0.1:1
	refused "signed by 0 of the keys in $W/alone/keys, where 1 are wanted (it has signatures of: nobody)"
	[[ $output != *connect* ]]
	run "$W/alone/install" verify --bundle "$B" --insecure-unsigned
	[ "$status" -eq 0 ]
	[[ $output == *"NOT SIGNED by any of the keys in $W/alone/keys"* ]]
	"$PACK" sign "$B" --key "$W/a"
	run "$W/alone/install" verify --bundle "$B"
	[ "$status" -eq 0 ]
	for c in "" join upgrade rollback preflight "node prepare" "node stage" "node activate"; do
		# shellcheck disable=SC2086 # two words
		[[ $("$INSTALL" $c --help) == *--insecure-unsigned* ]]
	done
}

@test "somebody else's signature is none; keys are changed by having both for a while" {
	local b
	b=$(second_key)
	"$PACK" sign "$B" --key "$W/b"
	cp "$W/a.pub" "$W/keys"
	verify --keys "$W/keys"
	refused "signed by 0 of the keys in $W/keys, where 1 are wanted (it has signatures of: $b)"
	cp "$W/b.pub" "$W/keys"
	verify --keys "$W/keys"
	[ "$status" -eq 0 ]
	[[ $output == *"; signed by $b"* ]]
}

@test "so many of the keys as a file or --require says" {
	local b
	b=$(second_key)
	"$PACK" sign "$B" --key "$W/a"
	cp "$W"/{a,b}.pub "$W/keys"
	cp "$W/a.pub" "$W/keys/twice.pub"
	verify --keys "$W/keys" --require signed
	[ "$status" -eq 0 ]
	echo signed=2 > "$W/keys/require"
	verify --keys "$W/keys"
	refused "signed by 1 of the keys in $W/keys, where 2 are wanted"
	"$PACK" sign "$B" --key "$W/b"
	verify --keys "$W/keys"
	[ "$status" -eq 0 ]
	[[ $output == *"$A"* && $output == *"$b"* ]]
	verify --keys "$W/keys" --require signed=3
	refused "signed by 2 of the keys"
	verify --keys "$W/keys" --require signed=x
	[ "$status" -eq 2 ]
	[[ $output == *'--require: "signed=x" is none of "signed", "signed=2" (by so many of the keys) and "sbom"'* ]]
	echo provenance > "$W/keys/require"
	verify --keys "$W/keys"
	[ "$status" -eq 2 ]
	[[ $output == *"$W/keys/require: \"provenance\" is none of"* ]]
	verify --require sbom
	refused "it has no SBOM, and one is wanted"
}

@test "a level without keys, a directory without keys, a key that is none" {
	verify --require signed
	refused "a signature is wanted, and there is no key to check it with"
	verify --keys "$W/keys"
	[ "$status" -eq 2 ]
	[[ $output == *"--keys: $W/keys has no public key (*.pub)"* ]]
	echo x > "$W/keys/x.pub"
	verify --keys "$W/keys"
	[ "$status" -eq 1 ]
	[[ $output == *"$W/keys/x.pub: no public key of minisign's format"* ]]
	verify --keys "$W/nowhere"
	[ "$status" -eq 1 ]
	[[ $output == *"$W/nowhere: No such file or directory"* ]]
}

@test "what a trusted key has not signed is refused, also with --insecure-unsigned" {
	"$PACK" sign "$B" --key "$W/a"
	cp "$W/a.pub" "$W/keys"
	tar xOf "$B" index.json | sed 's/v3.7.0/v3.7.1/' > "$W/index.json"
	repack index.json "$W/index.json"
	for more in "" --insecure-unsigned; do
		# shellcheck disable=SC2086 # no word
		verify --keys "$W/keys" $more
		refused "its signature of key $A: it does not fit what is signed"
	done
}

@test "a changed trusted comment" {
	"$PACK" sign "$B" --key "$W/a"
	cp "$W/a.pub" "$W/keys"
	signature "$A" | sed 's/timestamp:/timestamp:1/' > "$W/s"
	repack "index.json.$A.minisig" "$W/s"
	verify --keys "$W/keys"
	refused "its signature of key $A: its trusted comment was changed"
}

@test "one flipped bit of a signature" {
	local at size
	"$PACK" sign "$B" --key "$W/a"
	cp "$W/a.pub" "$W/keys"
	signature "$A" > "$W/s"
	size=$(stat -c %s "$W/s")
	for at in 10 80 130 170 $((size - 20)); do
		signature "$A" > "$W/s"
		flip "$W/s" "$at"
		cp "$B" "$W/good.tar"
		repack "index.json.$A.minisig" "$W/s"
		verify --keys "$W/keys"
		[ "$status" -eq 65 ]
		cp "$W/good.tar" "$B"
	done
}

@test "minisign's own key and signature, by --signer" {
	local id short
	minisign -G -W -p "$W/keys/m.pub" -s "$W/m.key" > /dev/null
	# shellcheck disable=SC2016 # for the signer's shell
	"$PACK" sign "$B" --signer 'minisign -S -W -s '"$W"'/m.key -m "$1" -x /dev/stdout'
	id=$(tar tf "$B" | sed -n 's/index.json.\(.*\).minisig/\1/p')
	short=$id # it writes no zeros in front
	while [[ $short == 0* ]]; do short=${short#0}; done
	grep "minisign public key $short$" "$W/keys/m.pub"
	verify --keys "$W/keys"
	[ "$status" -eq 0 ]
	[[ $output == *"; signed by $id"* ]]
}

@test "signers that fail: the bundle stays as it was" {
	local before
	before=$(sha256sum < "$B")
	run "$PACK" sign "$B" --signer 'echo "no token" >&2; exit 3'
	[ "$status" -eq 1 ]
	[[ $output == *"--signer: "*"no token"* ]]
	run "$PACK" sign "$B" --signer 'echo nonsense'
	[ "$status" -eq 1 ]
	[[ $output == *"--signer: what it printed is no signature of minisign's format"* ]]
	run "$PACK" sign "$B"
	[ "$status" -eq 2 ]
	[[ $output == *"sign: either --key or --signer"* ]]
	run "$PACK" sign --key "$W/a"
	[ "$status" -eq 2 ]
	[[ $output == *"sign: one bundle"* ]]
	run "$PACK" sign "$B" --key "$W/a.pub"
	[ "$status" -eq 1 ]
	[[ $output == *"$W/a.pub: no Ed25519 key in PEM, or not the right passphrase"* ]]
	openssl genrsa -out "$W/rsa" 2048 2> /dev/null
	run "$PACK" sign "$B" --key "$W/rsa"
	[ "$status" -eq 1 ]
	[[ $output == *"$W/rsa: no Ed25519 key in PEM"* ]]
	[ "$(sha256sum < "$B")" = "$before" ]
	[ -z "$(find "$W" -name '*.tmp*')" ]
}

@test "a damaged bundle is not signed" {
	local at
	at=$(($(stat -c %s "$B") / 2))
	cp "$B" "$W/bad.tar"
	flip "$W/bad.tar" "$at"
	run "$PACK" sign "$W/bad.tar" --key "$W/a"
	[ "$status" -eq 1 ]
	[[ $output == *"$W/bad.tar: "* ]]
	echo x > "$W/x"
	run "$PACK" sign "$W/x" --key "$W/a"
	[ "$status" -eq 1 ]
	tar xOf "$B" index.json | sed 's/v3.7.0/v3.7.1/' > "$W/index.json"
	mkdir "$W/y"
	tar xf "$B" -C "$W/y"
	cp "$W/index.json" "$W/y"
	pack "$W/y" "$W/bad.tar"
	run "$PACK" sign "$W/bad.tar" --key "$W/a"
	[ "$status" -eq 1 ]
	[[ $output == *"no bundle, or a damaged one: index.json does not match index.json.sha256"* ]]
}

# SPDX-License-Identifier: GPL-3.0-or-later
# Thalweg - GNU make 4. `make help` lists the targets.
VERSION := 0.1.0
SOABI   := 0

BUILD        ?= release
WERROR       ?=
NATIVE       ?=
JOBS         ?= $(shell nproc 2>/dev/null || echo 2)
FUZZ_SECONDS ?= 30
DAMAGED      ?= 3000
ANALYZE      ?= 1
ONNX_DATA    ?= /usr/share/libonnx-testdata/data
DESTDIR      ?=
prefix       ?= /usr/local
bindir       ?= $(prefix)/bin
libdir       ?= $(prefix)/lib
includedir   ?= $(prefix)/include
datadir      ?= $(prefix)/share
mandir       ?= $(datadir)/man

# Each profile, and each compiler but gcc, has a folder of its own.
B   := build/$(BUILD)$(patsubst %,-%,$(filter-out cc gcc,$(notdir $(CC))))
PKG := gsl hdf5-serial json-c libpcre2-8 zlib nettle libzip libprotobuf-c

# Debian's packages, by name. DEPS builds, runs and tests; DEPS_ORACLE is what the results and
# the speed are compared with, and the checkers of `make lint`, `make valgrind`, `make fuzz`.
DEPS := gcc libc6-dev make pkg-config libgsl-dev libhdf5-dev libjson-c-dev libpcre2-dev \
        zlib1g-dev nettle-dev libzip-dev libprotobuf-c-dev protobuf-c-compiler libcmocka-dev \
        perl scdoc gnuplot-nox fonts-texgyre fontconfig
DEPS_ORACLE := python3 python3-torch python3-scipy python3-h5py python3-numpy hdf5-tools \
        libonnx-testdata clang libomp-dev clang-format clang-tidy cppcheck shellcheck codespell valgrind \
        mandoc git bash zsh fish

.PHONY: all deps deps-oracle demo test bench conformance lint lint-tidy damage asan fuzz fuzz-run valgrind golden man \
        completion install installcheck uninstall dist clean help after-deps FORCE
.DELETE_ON_ERROR:
.SUFFIXES:
all:

# ---- packages ---------------------------------------------------------------------------

# $(call apt,packages): install what is missing; without apt, say what is needed.
define apt
@missing=; \
if command -v dpkg-query >/dev/null 2>&1; then \
    for p in $1; do \
        dpkg-query -W -f '$${db:Status-Abbrev}' $$p 2>/dev/null | grep -q '^ii' \
            || missing="$$missing $$p"; \
    done; \
else missing='$1'; fi; \
if [ -z "$$missing" ]; then :; \
elif command -v apt-get >/dev/null 2>&1; then \
    sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -q && \
    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        $$missing; \
else \
    echo "There is no apt-get here. Install what Debian calls:$$missing" >&2; \
    echo "then run make without 'deps'." >&2; \
    exit 1; \
fi
endef

deps: ## install the packages for building, running and testing (Debian, Ubuntu)
	$(call apt,$(DEPS))

deps-oracle: ## install the peers that tests compare with, and the checkers
	$(call apt,$(DEPS_ORACLE))

ifneq ($(filter deps deps-oracle,$(MAKECMDGOALS)),)
# Packages first, whatever -j says; then the other goals in a make that sees them.
REST := $(filter-out deps deps-oracle,$(MAKECMDGOALS))
deps-oracle: | $(filter deps,$(MAKECMDGOALS))
after-deps: $(filter deps deps-oracle,$(MAKECMDGOALS))
	+@$(MAKE) --no-print-directory $(REST)
ifneq ($(REST),)
$(REST): after-deps
	@:
endif
else

# ---- flags ------------------------------------------------------------------------------

ifneq ($(filter-out help clean dist uninstall,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell pkg-config --print-errors --exists $(PKG) 2>&1 && echo ok),ok)
$(error missing pkg-config or one of: $(PKG). On Debian run: make deps)
endif
# Headers of other projects are not held to our warnings.
SYSINC := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKG)))
LDLIBS := $(shell pkg-config --libs $(PKG)) -lm
endif

OPT_release := -O2 -g
OPT_debug   := -O0 -g3
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
               -fno-omit-frame-pointer
OPT_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
               -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ifndef OPT_$(BUILD)
$(error BUILD is one of release, debug, asan, fuzz; not '$(BUILD)')
endif
WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Wvla -Wundef \
        -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wcast-qual -Wformat=2 \
        $(if $(WERROR),-Werror)
# clang takes <math.h>'s NAN and INFINITY, floats by definition, for a slip; gcc does not. And it
# warns of loops that it does not unroll where optimisation is low.
WARN += $(if $(findstring clang,$(CC)),-Wno-double-promotion -Wno-pass-failed)
# What can change a number; recorded by `thalweg version --build`.
TUNE       = -std=c11 -ffp-contract=off -fopenmp $(OPT_$(BUILD)) $(if $(NATIVE),-march=native) \
             $(CPPFLAGS) $(CFLAGS)
INCLUDES   = -Isrc/include -I$B/gen $(SYSINC)
ALL_CFLAGS = -D_POSIX_C_SOURCE=200809L -fPIC $(WARN) $(INCLUDES) $(TUNE) $(KERN)

# The numeric kernels alone: loops over vectors, each file for its instruction set. Files for
# x86-64 are empty elsewhere.
KERN        =
KERN_FAST  := $(if $(filter release,$(BUILD)),-O3) -ffp-contract=fast -fno-math-errno -fno-trapping-math
KERN_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512
KERN_avx2   := -mavx2 -mfma
X86        := $(filter x86_64%,$(shell $(CC) -dumpmachine))
$B/obj/src/tensor/kern_avx512_%.o: KERN = $(KERN_FAST) $(if $(X86),$(KERN_avx512))
$B/obj/src/tensor/kern_avx2_%.o: KERN = $(KERN_FAST) $(if $(X86),$(KERN_avx2))
$B/obj/src/tensor/kern_generic_%.o: KERN = $(KERN_FAST)
# Vectors too, with the same bits: nothing is contracted.
$B/obj/src/train/optimizer.o: KERN = $(if $(filter release,$(BUILD)),-O3) -fno-math-errno -fno-trapping-math

HEADERS  := $(wildcard src/include/thalweg/*.h)
LIB_SRC  := $(filter-out src/cli/%,$(wildcard src/*/*.c))
CLI_SRC  := $(wildcard src/cli/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
PROTO    := $(patsubst src/store/%.proto,%,$(wildcard src/store/*.proto))
LIB_OBJ  := $(LIB_SRC:%.c=$B/obj/%.o) $(PROTO:%=$B/obj/gen/%.pb-c.o)
CLI_OBJ  := $(CLI_SRC:%.c=$B/obj/%.o)
UNIT_OBJ := $(UNIT_SRC:%.c=$B/obj/%.o)
BENCH_OBJ := $(patsubst %.c,$B/obj/%.o,$(wildcard tests/bench/bench_*.c))
FUZZ_OBJ := $(patsubst %.c,$B/obj/%.o,$(wildcard tests/fuzz/fuzz_*.c))
CONFORM_OBJ := $(patsubst %.c,$B/obj/%.o,$(wildcard tests/conformance/*.c))
TEST_OBJ := $(UNIT_OBJ) $(BENCH_OBJ) $(FUZZ_OBJ) $(CONFORM_OBJ)
UNIT     := $(patsubst tests/unit/%.c,$B/test/%,$(UNIT_SRC))
BENCH    := $(patsubst $B/obj/tests/bench/%.o,$B/bench/%,$(BENCH_OBJ))
CONFORM  := $B/test/conformance
FUZZ     := $(patsubst $B/obj/tests/fuzz/%.o,$B/%,$(FUZZ_OBJ))
MAN      := $(patsubst src/man/%.scd,$B/man/%,$(wildcard src/man/*.scd))
COMPLETE := $B/completion/thalweg.bash $B/completion/_thalweg $B/completion/thalweg.fish
LIB_A    := $B/lib/libthalweg.a
LIB_SO   := $B/lib/libthalweg.so.$(VERSION)

comma := ,
# `make V=1` shows every command whole.
Q = $(if $(V),,@echo '  $1' $(or $2,$@) &&)

# ---- building ---------------------------------------------------------------------------

all: $B/bin/thalweg $(LIB_A) $(LIB_SO) ## build the command and the library

$B/bin/thalweg: $(CLI_OBJ) $(LIB_A)
	@mkdir -p $(@D)
	$(call Q,LINK)$(CC) $(TUNE) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(LIB_A): $(LIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(call Q,AR  )$(AR) rcs $@ $^

$(LIB_SO): $(LIB_OBJ) $B/gen/thalweg.map
	@mkdir -p $(@D)
	$(call Q,LINK)$(CC) -shared $(TUNE) $(LDFLAGS) -Wl,-soname,libthalweg.so.$(SOABI) \
	    -Wl,--version-script=$B/gen/thalweg.map $(LIB_OBJ) $(LDLIBS) -o $@
	@ln -sf $(@F) $B/lib/libthalweg.so.$(SOABI)
	@ln -sf libthalweg.so.$(SOABI) $B/lib/libthalweg.so

$B/obj/%.o: %.c $B/gen/flags | $B/gen/version.h $B/gen/build.h
	@mkdir -p $(@D)
	$(call Q,CC  ,$<)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# The shared library exports the names that public headers mention, and no others.
$B/gen/thalweg.map: $(HEADERS)
	@mkdir -p $(@D)
	@{ echo 'THALWEG_$(SOABI) { global:'; \
	  grep -oh 'tw_[a-z0-9_]*[a-z0-9]' $(HEADERS) | sort -u | sed 's/$$/;/'; \
	  echo 'local: *; };'; } > $@

# Files whose contents make knows: written anew only when they change. A release tarball has
# no .git and carries VERSION alone.
GIT_VERSION := $(if $(wildcard .git),$(patsubst v%,%,$(shell \
    git describe --tags --match 'v[0-9]*' 2>/dev/null || \
    git log -1 --format='$(VERSION)-g%h' 2>/dev/null)))
c_string     = "$(subst ",\",$(subst \,\\,$(strip $1)))"
TEXT_version.h = \#define TW_VERSION $(call c_string,$(or $(GIT_VERSION),$(VERSION)))
TEXT_build.h   = \#define TW_BUILD_FLAGS $(call c_string,$(TUNE) $(LDFLAGS))
TEXT_flags     = $(CC) $(ALL_CFLAGS) $(KERN_FAST) $(KERN_avx512) $(KERN_avx2)
$B/gen/version.h $B/gen/build.h $B/gen/flags: FORCE
	$(shell mkdir -p $(@D))$(file >$@.new,$(TEXT_$(@F)))
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# The gnuplot files, line by line, so that the program needs no file of its own at run time.
$B/gen/share.h: $(wildcard src/share/*.gp)
	@mkdir -p $(@D)
	@awk 'BEGIN { print "static const struct { const char *file, *text; } share_lines[] = {" } \
	    { gsub(/\\/, "&&"); gsub(/"/, "\\\""); f = FILENAME; sub(/.*\//, "", f); \
	      printf "{ \"%s\", \"%s\\n\" },\n", f, $$0 } END { print "};" }' $^ < /dev/null > $@
$(filter $B/obj/src/figure/%,$(LIB_OBJ)): | $B/gen/share.h
$B/obj/src/figure/text.o: $B/gen/share.h

# The Python file for evaluators, which `thalweg evaluator adapter` prints.
$B/gen/adapter.h: src/share/thalweg_eval.py
	@mkdir -p $(@D)
	@awk 'BEGIN { print "static const char *const adapter_lines[] = {" } \
	    { gsub(/\\/, "&&"); gsub(/"/, "\\\""); printf "\"%s\\n\",\n", $$0 } END { print "};" }' \
	    $^ > $@
$B/obj/src/cli/cmd_evaluator.o: $B/gen/adapter.h

# The parsers of protobuf files, from our lists of their fields. Their code is held to protobuf-c's
# warnings.
$B/gen/%.pb-c.c: src/store/%.proto
	@mkdir -p $(@D)
	$(call Q,GEN ,$@)protoc-c --proto_path=$(<D) --c_out=$(@D) $(<F)
$B/gen/%.pb-c.h: $B/gen/%.pb-c.c ;
$B/obj/gen/%.pb-c.o: $B/gen/%.pb-c.c $B/gen/flags
	@mkdir -p $(@D)
	$(call Q,CC  ,$<)$(CC) $(ALL_CFLAGS) -w -MMD -MP -c $< -o $@
.SECONDARY: $(PROTO:%=$B/gen/%.pb-c.c) $(PROTO:%=$B/gen/%.pb-c.h)
$(filter $B/obj/src/store/%,$(LIB_OBJ)): | $(PROTO:%=$B/gen/%.pb-c.h)

# ---- manual and completion ----------------------------------------------------------------

man: $(MAN) ## build the manual pages (needs scdoc)
completion: $(COMPLETE) ## write the completion scripts for bash, zsh and fish

# Prose by hand; a line @NAME@ stands for what the program's own tables say.
$B/man/%: src/man/%.scd $B/bin/thalweg
	@mkdir -p $(@D)
	@sh src/man/expand.sh $B/bin/thalweg $* < $< > $@.scd
	@if command -v scdoc >/dev/null; then \
	    SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || date +%s)} \
	        scdoc < $@.scd > $@; \
	else echo 'scdoc is missing: no manual page $*' >&2; fi

$B/completion/thalweg.bash: SHELL_NAME := bash
$B/completion/_thalweg: SHELL_NAME := zsh
$B/completion/thalweg.fish: SHELL_NAME := fish
$(COMPLETE): $B/bin/thalweg
	@mkdir -p $(@D)
	@$< help --completion $(SHELL_NAME) > $@

# ---- testing ----------------------------------------------------------------------------

$(TEST_OBJ): INCLUDES += -Itests/support -Isrc/cli -Isrc
$(UNIT): $B/test/%: $B/obj/tests/unit/%.o
$(BENCH): $B/bench/%: $B/obj/tests/bench/%.o
$(FUZZ): $B/%: $B/obj/tests/fuzz/%.o
$(CONFORM): $(CONFORM_OBJ)
$(UNIT): LINK := -lcmocka
$B/test/test_reference_oom: LINK += $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc aligned_alloc)
$(FUZZ): LINK := -fsanitize=fuzzer
$(UNIT) $(BENCH) $(FUZZ) $(CONFORM): $(filter-out %/main.o,$(CLI_OBJ)) $(LIB_A)
	@mkdir -p $(@D)
	$(call Q,LINK)$(CC) $(TUNE) $(LDFLAGS) $(filter %.o,$^) $(LIB_A) $(LINK) $(LDLIBS) -o $@

# Evaluator processes for the tests: the example, which needs no library, and one with faults.
EVALUATORS := $B/test/evaluator $B/test/faulty_evaluator
$B/test/evaluator: analyses/evaluator/evaluator.c
$B/test/faulty_evaluator: tests/support/faulty_evaluator.c analyses/evaluator/evaluator.c
$(EVALUATORS): $B/gen/flags
	@mkdir -p $(@D)
	$(call Q,LINK)$(CC) $(WARN) $(TUNE) $(LDFLAGS) $(firstword $(filter %.c,$^)) -lm -o $@

ALL_TESTS := $(UNIT) $(wildcard tests/cli/*.sh) tests/conformance/run.sh
TESTS     := $(ALL_TESTS)
# A sanitizer's exit code must not look like one of ours.
TEST_ENV := TW_BUILD='$(CURDIR)/$B' TW_ONNX_DATA='$(ONNX_DATA)' CMOCKA_MESSAGE_OUTPUT=TAP ASAN_OPTIONS=exitcode=99:allocator_may_return_null=1 \
            UBSAN_OPTIONS=print_stacktrace=1:exitcode=99 OMP_WAIT_POLICY=passive OMP_NUM_THREADS="$${OMP_NUM_THREADS:-2}"

test: all man completion $(UNIT) $(CONFORM) $(EVALUATORS) ## run every test
	@$(TEST_ENV) prove -j $(JOBS) -e 'sh tests/support/run.sh' $(TESTS)

asan: ## run every test under the address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory BUILD=asan test

valgrind: all man completion $(UNIT) $(CONFORM) $(EVALUATORS) ## run every test under valgrind
	@$(TEST_ENV) TW_WRAP='sh $(CURDIR)/tests/support/valgrind.sh' \
	    prove -j $(JOBS) -e 'sh tests/support/run.sh' $(TESTS)

golden: all man completion ## make the golden files anew; read the diff before you commit it
	@$(TEST_ENV) TW_GOLDEN=write prove -j $(JOBS) -e 'sh tests/support/run.sh' \
	    $(wildcard tests/cli/*.sh)

fuzz: ## run each fuzz target for FUZZ_SECONDS (needs clang)
	@$(MAKE) --no-print-directory BUILD=fuzz CC=clang fuzz-run
fuzz-run: $(FUZZ)
	@$(foreach t,$(FUZZ),sh tests/support/fuzz.sh $t $(FUZZ_SECONDS) &&) :

damage: all $B/test/test_damaged ## damage DAMAGED HDF5 files, run the commands on each
	@TW_DAMAGED='$(DAMAGED)' $B/test/test_damaged

conformance: $(CONFORM) ## run ONNX's own tests, print the table by operator
	@$(CONFORM) -v tests/conformance/rules.txt $(ONNX_DATA)

bench: all $(BENCH) ## print run times, and ratios to peers that are installed
	@for t in $(BENCH); do $$t || exit 1; done
	@for t in $(wildcard tests/bench/*.sh); do TW_BUILD='$(CURDIR)/$B' sh $$t || exit 1; done

demo: all ## fit, forecast and draw the example data
	@sh analyses/demo/run.sh $B/bin/thalweg plots

C_FILES  := $(wildcard src/*/*.[ch] src/include/thalweg/*.h tests/*/*.[ch])
SH_FILES := $(wildcard tests/*/*.sh src/*/*.sh analyses/*/*.sh)
TIDY     := $(LIB_SRC:%.c=$B/tidy/%.ok) $(CLI_SRC:%.c=$B/tidy/%.ok)
# The object is older than a header that its source includes: then so is what was found.
# ANALYZE= leaves out the walk over paths, which takes most of the time.
$B/tidy/%.ok: $B/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet --warnings-as-errors='*' $(if $(ANALYZE),,--checks='-clang-analyzer-*') $*.c -- -D_POSIX_C_SOURCE=200809L \
	    -std=c11 -fopenmp $(INCLUDES) > $@.log 2>&1 || { cat $@.log; exit 1; }
	@touch $@

lint-tidy: $(TIDY)
lint: ## check layers, format, spelling; run clang-tidy, cppcheck, shellcheck
	+@$(MAKE) --no-print-directory -j $(JOBS) lint-tidy
	sh tests/lint/layers.sh
	sh tests/lint/text.sh
	clang-format --dry-run -Werror $(C_FILES)
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --library=posix \
	    --enable=warning,performance,portability -D_POSIX_C_SOURCE=200809L -Isrc/include src
	shellcheck -x -s sh $(SH_FILES)
	shellcheck .ci/run
	codespell -q 3 -I tests/lint/words.txt src tests Makefile $(wildcard *.md analyses */*.md)

# ---- installing -------------------------------------------------------------------------

D := $(DESTDIR)
install: all man completion ## install under $(DESTDIR)$(prefix)
	install -d $D$(bindir) $D$(libdir)/pkgconfig $D$(includedir)/thalweg
	install $B/bin/thalweg $D$(bindir)/thalweg
	install -m 644 $(LIB_A) $(LIB_SO) $D$(libdir)
	ln -sf libthalweg.so.$(VERSION) $D$(libdir)/libthalweg.so.$(SOABI)
	ln -sf libthalweg.so.$(SOABI) $D$(libdir)/libthalweg.so
	install -m 644 $(HEADERS) $D$(includedir)/thalweg
	printf '%s\n' 'prefix=$(prefix)' 'libdir=$(libdir)' 'includedir=$(includedir)' '' \
	    'Name: thalweg' 'Description: loss landscapes and scaling laws' \
	    'Version: $(VERSION)' 'Requires.private: $(PKG)' 'Cflags: -I$${includedir}' \
	    'Libs: -L$${libdir} -lthalweg' 'Libs.private: -fopenmp -lm' \
	    > $D$(libdir)/pkgconfig/thalweg.pc
	for p in $(notdir $(MAN)); do \
	    d=$D$(mandir)/man$${p##*.}; install -d "$$d"; \
	    if [ -s $B/man/$$p ]; then install -m 644 $B/man/$$p "$$d"; fi; \
	done
	install -d $D$(datadir)/bash-completion/completions $D$(datadir)/zsh/site-functions \
	    $D$(datadir)/fish/vendor_completions.d
	install -m 644 $B/completion/thalweg.bash $D$(datadir)/bash-completion/completions/thalweg
	install -m 644 $B/completion/_thalweg $D$(datadir)/zsh/site-functions
	install -m 644 $B/completion/thalweg.fish $D$(datadir)/fish/vendor_completions.d
	if [ -n '$(wildcard src/share/*)' ]; then install -d $D$(datadir)/thalweg && \
	    install -m 644 $(wildcard src/share/*) $D$(datadir)/thalweg; fi

installcheck: all man completion ## install into a temporary folder, use it, uninstall
	+MAKE='$(MAKE)' CC='$(CC)' sh tests/support/install.sh

uninstall: ## remove what install wrote
	rm -f $D$(bindir)/thalweg $D$(libdir)/libthalweg.a $D$(libdir)/libthalweg.so* \
	    $D$(libdir)/pkgconfig/thalweg.pc $D$(mandir)/man1/thalweg.1 \
	    $D$(mandir)/man1/thalweg-*.1 $D$(mandir)/man7/thalweg-*.7 \
	    $D$(datadir)/bash-completion/completions/thalweg \
	    $D$(datadir)/zsh/site-functions/_thalweg \
	    $D$(datadir)/fish/vendor_completions.d/thalweg.fish
	rm -rf $D$(includedir)/thalweg $D$(datadir)/thalweg

dist: ## pack the release tarball from the last commit
	@mkdir -p build
	git archive --prefix=thalweg-$(VERSION)/ HEAD | gzip -n > build/thalweg-$(VERSION).tar.gz

clean: ## remove build/
	rm -rf build

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_OBJ:.o=.d)
endif

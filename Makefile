# SPDX-License-Identifier: GPL-3.0-or-later
# Thalweg - GNU make. `make help` lists the targets.
VERSION := 0.1.0
BUILD   ?= release
prefix  ?= /usr/local
bindir  ?= $(prefix)/bin
B       := build/$(BUILD)

PKG     := gsl hdf5-serial json-c libpcre2-8 zlib nettle
ifneq ($(filter-out help clean deps deps-oracle,$(or $(MAKECMDGOALS),all)),)
ifeq ($(filter deps,$(MAKECMDGOALS)),)
ifneq ($(shell pkg-config --print-errors --exists $(PKG) 2>&1 && echo ok),ok)
$(error missing libraries ($(PKG)); on Debian run: make deps)
endif
endif
endif
# Lazy: `make deps all` asks only after the packages are there.
SYSINC   = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKG)))
LDLIBS   = $(shell pkg-config --libs $(PKG)) -lm

OPT_release := -O2 -g
OPT_debug   := -O0 -g3
OPT_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
               -fno-omit-frame-pointer
WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Wvla -Wundef \
        -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wcast-qual -Wformat=2
ALL_CFLAGS = -std=c11 -ffp-contract=off -D_POSIX_C_SOURCE=200809L -fopenmp $(WARN) \
             $(OPT_$(BUILD)) -Isrc/include -I$B/gen $(SYSINC) $(CFLAGS)

LIB_OBJ := $(patsubst %.c,$B/obj/%.o,$(filter-out src/cli/%,$(wildcard src/*/*.c)))
CLI_OBJ := $(patsubst %.c,$B/obj/%.o,$(wildcard src/cli/*.c))
UNIT    := $(patsubst tests/unit/%.c,$B/test/%,$(wildcard tests/unit/test_*.c))

.PHONY: all test asan lint install clean help
all: $B/bin/thalweg ## build the command and the library

$B/bin/thalweg: $(CLI_OBJ) $B/lib/libthalweg.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$B/lib/libthalweg.a: $(LIB_OBJ)
	@mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $^

$B/obj/%.o: %.c | $B/gen/version.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -MMD -MP -c $< -o $@

$B/gen/version.h:
	@mkdir -p $(@D)
	printf '#define TW_VERSION "%s"\n' '$(VERSION)' > $@

# The gnuplot files, line by line, so that the program needs no file of its own at run time.
$B/gen/share.h: $(wildcard src/share/*.gp)
	@mkdir -p $(@D)
	awk 'BEGIN { print "static const struct { const char *file, *text; } share_lines[] = {" } \
	    { gsub(/\\/, "&&"); gsub(/"/, "\\\""); f = FILENAME; sub(/.*\//, "", f); \
	      printf "{ \"%s\", \"%s\\n\" },\n", f, $$0 } END { print "};" }' $^ > $@
$B/obj/src/figure/text.o: $B/gen/share.h

$B/test/%: tests/unit/%.c $B/lib/libthalweg.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CPPFLAGS) -MMD -MP -Itests/support -Isrc/cli $(LDFLAGS) $< \
	    $(filter-out $B/obj/src/cli/main.o,$(CLI_OBJ)) $B/lib/libthalweg.a -lcmocka $(LDLIBS) -o $@
$(UNIT): $(CLI_OBJ)

test: all $(UNIT) ## run every test
	CMOCKA_MESSAGE_OUTPUT=TAP TW_BIN=$(CURDIR)/$B/bin prove -e '' $(UNIT) $(wildcard tests/cli/*.sh)

asan: ## run every test under the address and undefined-behaviour sanitizers
	$(MAKE) BUILD=asan test

clean: ## remove build/
	rm -rf build

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d)

# SPDX-License-Identifier: MIT
# A thin door to meson and to the scripts in tools/ and tests/.
# Each target does the set-up it needs, so that `make test` in a fresh clone is
# enough. The build is meson's: nothing is compiled from here.

.PHONY: all build setup run test unit intercept conformance e2e \
	tidy clang-tidy coverage tables asan tsan fuzz libfuzzer soak clients oracle everywhere bench bench-kbuf \
	install uninstall deb clean help

all: build

help:
	@echo 'make              build build/polyring, the libraries, the examples'
	@echo 'make run          serve real traffic with io_uring denied'
	@echo 'make test         the next five and clients; again under ASan + UBSan'
	@echo 'make unit         the tests beside the code'
	@echo 'make intercept    how calls reach the engine, and the command'
	@echo 'make conformance  the same programs on the kernel and on polyring'
	@echo 'make e2e          the examples as unmodified clients'
	@echo 'make tidy         the style guide, as a test'
	@echo 'make clang-tidy   a few of its checks; part of make tidy where installed'
	@echo 'make coverage     which lines of src the tests execute; needs gcovr'
	@echo 'make asan         all tests under ASan + UBSan, checked invariants'
	@echo 'make tsan         all but intercept under ThreadSanitizer'
	@echo 'make fuzz         random programs on both, SECONDS=60 SEED= JOBS=1'
	@echo 'make soak         100,000,000 buffers with errors and cancels, BUFFERS= SEED='
	@echo 'make libfuzzer    build build-fuzz/tests/fuzz/libfuzzer with clang'
	@echo 'make oracle       boot other kernels and record their answers'
	@echo 'make clients      fio, qemu and others, as they come from Debian; LONG=1'
	@echo 'make everywhere   one file in Debian 11 to 13 and an empty root; needs root'
	@echo 'make tables       doc/support.md and doc/deviations.md'
	@echo 'make bench        beside the kernel and others; see bench/README.md'
	@echo 'make bench-kbuf   the buffers alone, and what they cost the kernel'
	@echo 'make install      PREFIX and DESTDIR as usual'
	@echo 'make uninstall    remove what the last make install put there'
	@echo 'make deb          Debian packages, beside this directory'
	@echo 'make clean        remove what was built'

setup:
	@tools/setup

build: setup
	@tools/build normal

run: build
	@tools/run-echo

test: setup
	@tests/run

unit intercept e2e tidy: setup
	@tests/run $@

conformance: build
	@build/tests/conformance/conformance

asan: setup
	@tests/run --variant asan

tsan: setup
	@tests/run --variant tsan unit conformance e2e

clang-tidy:
	@tools/check-clang-tidy

# What a process counted that was killed, or ended by _exit(), is not seen.
coverage: setup
	@command -v gcovr >/dev/null || { echo "make coverage needs gcovr"; exit 1; }
	-@tests/run --variant coverage unit intercept conformance e2e
	@gcovr --root . --filter src/ --exclude '.*_test\.[ch]' \
		--gcov-ignore-parse-errors --print-summary build-coverage

fuzz: build
	@build/tests/fuzz/fuzz --seconds $(or $(SECONDS),60) \
		--jobs $(or $(JOBS),1) $(if $(SEED),--seed $(SEED)) \
		--replay tests/fuzz/kept

# Until so many have come back; the short one is part of `make unit`.
soak: build
	@build/tests/soak/soak --buffers $(or $(BUFFERS),100000000) \
		$(if $(SEED),--seed $(SEED))

# Coverage in the engine needs it compiled for that: a build of its own.
libfuzzer: setup
	@test -e build-fuzz/build.ninja || CC=clang meson setup build-fuzz \
		-Db_sanitize=address -Db_lundef=false -Dchecked=true \
		-Dexamples=false -Dc_args=-fsanitize=fuzzer-no-link
	@ninja -C build-fuzz tests/fuzz/libfuzzer

tables: build
	@build/tests/tables/support >doc/support.md
	@build/tests/conformance/conformance --deviations >doc/deviations.md

oracle: build
	@tests/oracle/record $(KERNELS)

clients: build
	@tests/clients/run $(if $(LONG),--long) $(CLIENTS)

everywhere: build
	@tests/everywhere/run --build build

bench: build
	@bench/run

bench-kbuf: build
	@ninja -C build src/kbuf/bench-kbuf >/dev/null
	@bench/kbuf-report build/src/kbuf/bench-kbuf

install: setup
	@tools/build normal installed
	meson install -C build --no-rebuild
	@test -n "$(DESTDIR)" || test "$$(id -u)" != 0 || ldconfig

uninstall:
	ninja -C build uninstall

deb: setup
	@command -v dh chrpath >/dev/null || { echo "make deb needs debhelper, chrpath and dpkg-dev"; exit 1; }
	dpkg-buildpackage --no-sign --build=binary

clean:
	rm -rf build build-asan build-tsan build-fuzz build-coverage

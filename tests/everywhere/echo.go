// SPDX-License-Identifier: MIT

// A server in Go that calls io_uring by itself: no C library, no liburing.
//
// Goroutines are its clients, and check each byte that comes back; meanwhile
// memory is collected all the time, goroutines are preempted by signals, and a
// timer's signals come. It prints how many bytes were right.
package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	clients     = 24
	rounds      = 200
	largest     = 3000
	entries     = 64
	buffers     = 64
	bufferBytes = 1024

	numberSetup    = 425
	numberEnter    = 426
	numberRegister = 427

	opAccept  = 13
	opClose   = 19
	opSend    = 26
	opRecv    = 27
	opProvide = 31

	flagSelect     = 1 << 5
	flagMultishot  = 1 << 0 // of accept
	flagReceiveAll = 1 << 1 // of recv: multishot
	flagWaitAll    = 0x100
	cqeBuffer      = 1
	cqeMore        = 2
	group          = 7
)

type entry struct {
	op, flags uint8
	prio      uint16
	fd        int32
	off       uint64
	addr      uint64
	length    uint32
	opFlags   uint32
	data      uint64
	group     uint16
	rest      [22]byte
}

type completion struct {
	data  uint64
	res   int32
	flags uint32
}

type offsets struct {
	head, tail, mask, entries, more, dropped, array, rest uint32
	address                                               uint64
}

type cqOffsets struct {
	head, tail, mask, entries, overflow, cqes, flags, rest uint32
	address                                                uint64
}

type params struct {
	sqEntries, cqEntries, flags, cpu, idle, features, fd uint32
	rest                                                 [3]uint32
	sq                                                   offsets
	cq                                                   cqOffsets
}

type ring struct {
	fd       int
	p        params
	memory   []byte
	entries  []byte
	bytes    []byte // of the provided buffers
	unasked  uint32
	accepted int
}

func must(err error) {
	if err != nil {
		fmt.Println("not ok:", err)
		os.Exit(1)
	}
}

func (r *ring) word(at uint32) *uint32 {
	return (*uint32)(unsafe.Pointer(&r.memory[at]))
}

func ringOpen() *ring {
	r := &ring{}
	fd, _, e := syscall.Syscall(numberSetup, entries,
		uintptr(unsafe.Pointer(&r.p)), 0)
	if e != 0 {
		must(e)
	}
	r.fd = int(fd)
	var err error
	flags := syscall.MAP_SHARED | syscall.MAP_POPULATE
	prot := syscall.PROT_READ | syscall.PROT_WRITE
	size := r.p.cq.cqes + r.p.cqEntries*16
	if n := r.p.sq.array + r.p.sqEntries*4; n > size {
		size = n
	}
	r.memory, err = syscall.Mmap(r.fd, 0, int(size), prot, flags)
	must(err)
	r.entries, err = syscall.Mmap(r.fd, 0x10000000, entries*64, prot, flags)
	must(err)
	r.bytes, err = syscall.Mmap(-1, 0, buffers*bufferBytes, prot,
		syscall.MAP_PRIVATE|syscall.MAP_ANON)
	must(err)
	return r
}

func (r *ring) add(e entry) {
	if r.unasked == entries {
		r.enter(0)
	}
	tail := r.word(r.p.sq.tail)
	slot := *tail & (entries - 1)
	*(*entry)(unsafe.Pointer(&r.entries[slot*64])) = e
	*r.word(r.p.sq.array + slot*4) = slot
	atomic.StoreUint32(tail, *tail+1)
	r.unasked++
}

func (r *ring) enter(wait uintptr) {
	for {
		flags := uintptr(0)
		if wait > 0 {
			flags = 1
		}
		n, _, e := syscall.Syscall6(numberEnter, uintptr(r.fd),
			uintptr(r.unasked), wait, flags, 0, 0)
		if e == syscall.EINTR || e == syscall.EAGAIN {
			continue
		}
		if e != 0 {
			must(e)
		}
		r.unasked -= uint32(n)
		return
	}
}

func (r *ring) provide(id uint32, count int32) {
	r.add(entry{op: opProvide, fd: count, off: uint64(id),
		addr:   uint64(uintptr(unsafe.Pointer(&r.bytes[id*bufferBytes]))),
		length: bufferBytes, group: group, data: opProvide << 32})
}

func (r *ring) receive(fd int32) {
	r.add(entry{op: opRecv, flags: flagSelect, prio: flagReceiveAll, fd: fd,
		group: group, data: opRecv<<32 | uint64(fd)})
}

func (r *ring) completed(c completion) {
	fd := int32(uint32(c.data) & 0xffff)
	switch c.data >> 32 & 0xff {
	case opAccept:
		if c.res < 0 {
			must(syscall.Errno(-c.res))
		}
		r.accepted++
		r.receive(c.res)
	case opRecv:
		r.received(c, fd)
	case opSend:
		if c.res <= 0 {
			must(syscall.Errno(-c.res))
		}
		r.provide(uint32(c.data)>>16, 1)
	case opProvide:
		if c.res < 0 {
			must(syscall.Errno(-c.res))
		}
	}
}

func (r *ring) received(c completion, fd int32) {
	if c.flags&cqeBuffer != 0 {
		id := c.flags >> 16
		r.add(entry{op: opSend, fd: fd, opFlags: flagWaitAll,
			addr:   uint64(uintptr(unsafe.Pointer(&r.bytes[id*bufferBytes]))),
			length: uint32(c.res),
			data:   opSend<<32 | uint64(id)<<16 | uint64(fd)})
	}
	if c.flags&cqeMore != 0 {
		return
	}
	if c.res > 0 || c.res == -int32(syscall.ENOBUFS) {
		r.receive(fd)
	} else {
		r.add(entry{op: opClose, fd: fd, data: opClose << 32})
	}
}

func (r *ring) serve(listener int32) {
	runtime.LockOSThread()
	r.provide(0, buffers)
	r.add(entry{op: opAccept, prio: flagMultishot, fd: listener,
		data: opAccept << 32})
	for {
		r.enter(1)
		head, tail := r.word(r.p.cq.head), r.word(r.p.cq.tail)
		for *head != atomic.LoadUint32(tail) {
			at := r.p.cq.cqes + (*head&*r.word(r.p.cq.mask))*16
			c := *(*completion)(unsafe.Pointer(&r.memory[at]))
			atomic.StoreUint32(head, *head+1)
			r.completed(c)
		}
	}
}

func client(address string, seed int64, right *int64, done *sync.WaitGroup) {
	defer done.Done()
	random := rand.New(rand.NewSource(seed))
	connection, err := net.Dial("tcp", address)
	must(err)
	defer connection.Close()
	for i := 0; i < rounds; i++ {
		sent := make([]byte, 1+random.Intn(largest))
		random.Read(sent)
		_, err = connection.Write(sent)
		must(err)
		got := make([]byte, 0, len(sent))
		for len(got) < len(sent) {
			part := make([]byte, len(sent)-len(got))
			n, err := connection.Read(part)
			must(err)
			got = append(got, part[:n]...)
		}
		if !bytes.Equal(sent, got) {
			fmt.Println("not ok: bytes differ")
			os.Exit(1)
		}
		atomic.AddInt64(right, int64(len(sent)))
	}
}

func disturb(signals *int64) {
	seen := make(chan os.Signal, 16)
	signal.Notify(seen, syscall.SIGALRM)
	every := [4]int64{0, 2000, 0, 2000}
	syscall.Syscall(syscall.SYS_SETITIMER, 0,
		uintptr(unsafe.Pointer(&every)), 0)
	go func() {
		for range seen {
			atomic.AddInt64(signals, 1)
		}
	}()
	go func() {
		for {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
	}()
}

func main() {
	var right, signals int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	file, err := listener.(*net.TCPListener).File()
	must(err)
	disturb(&signals)
	go ringOpen().serve(int32(file.Fd()))
	var done sync.WaitGroup
	for i := 0; i < clients; i++ {
		done.Add(1)
		go client(listener.Addr().String(), int64(i), &right, &done)
	}
	done.Wait()
	if atomic.LoadInt64(&signals) == 0 {
		fmt.Println("not ok: no signals")
		os.Exit(1)
	}
	fmt.Println("ok", right, "bytes")
}

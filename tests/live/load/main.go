// Command load does one thing at a known rate, for the test that compares the catalogue's records with the truth. It
// prints what it has done so far, once a second.
//
//	load cpu CORES | memory MIB | send ADDRESS BYTES_PER_SECOND | receive ADDRESS | write FILE BYTES_PER_SECOND | fill FILE BYTES
package main

import (
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var done atomic.Int64

func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// paced calls step, which does size units, so often that the given number of units is done per second.
func paced(size int, perSecond float64, step func()) {
	for start, sent := time.Now(), 0; ; sent += size {
		if ahead := time.Duration(float64(sent)/perSecond*1e9) - time.Since(start); ahead > 0 {
			time.Sleep(ahead)
		}
		step()
		done.Add(int64(size))
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// aligned is memory that a file opened with O_DIRECT takes.
func aligned(size int) []byte {
	raw := make([]byte, size+4096)
	shift := 4096 - int(uintptr(unsafe.Pointer(&raw[0]))%4096)
	return raw[shift : shift+size]
}

func main() {
	arguments := os.Args[2:]
	go func() {
		for range time.Tick(time.Second) {
			fmt.Println(done.Load())
		}
	}()
	switch os.Args[1] {
	case "cpu":
		share := number(arguments[0])
		for start := time.Now(); ; {
			if float64(cpuTime()) > share*float64(time.Since(start)) {
				time.Sleep(5 * time.Millisecond)
			}
			done.Store(int64(cpuTime()))
		}
	case "memory":
		held := make([]byte, int(number(arguments[0]))<<20)
		for {
			for i := 0; i < len(held); i += 4096 {
				held[i]++
			}
			done.Store(int64(len(held)))
			time.Sleep(10 * time.Second)
		}
	case "receive":
		listener, err := net.Listen("tcp", arguments[0])
		must(err)
		for {
			connection, err := listener.Accept()
			must(err)
			go func() {
				buffer := make([]byte, 1<<16)
				for {
					n, err := connection.Read(buffer)
					done.Add(int64(n))
					if err != nil {
						return
					}
				}
			}()
		}
	case "send":
		var connection net.Conn
		for {
			var err error
			if connection, err = net.Dial("tcp", arguments[0]); err == nil {
				break
			}
			time.Sleep(time.Second)
		}
		buffer := make([]byte, 10_000)
		paced(len(buffer), number(arguments[1]), func() { _, err := connection.Write(buffer); must(err) })
	case "write":
		file, err := os.OpenFile(arguments[0], os.O_CREATE|os.O_WRONLY|syscall.O_DIRECT, 0o600)
		must(err)
		buffer := aligned(1 << 18)
		offset := int64(0)
		paced(len(buffer), number(arguments[1]), func() {
			_, err := file.WriteAt(buffer, offset)
			must(err)
			offset = (offset + int64(len(buffer))) % (1 << 24)
		})
	case "fill":
		file, err := os.Create(arguments[0])
		must(err)
		buffer := make([]byte, 1<<20)
		for left := int(number(arguments[1])); left > 0; left -= len(buffer) {
			_, err := file.Write(buffer)
			must(err)
		}
		must(file.Sync())
		select {}
	default:
		log.Fatalf("no such load: %s", os.Args[1])
	}
}

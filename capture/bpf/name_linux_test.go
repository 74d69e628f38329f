package bpf

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/internal/loopback"
)

// TestNamedByProcess: a task bears its process's name, whatever its thread calls itself.
func TestNamedByProcess(t *testing.T) {
	s := openEndings(t, Options{})
	client, server, port := loopback.Pair(t)
	offMainThread(func() {
		name := []byte("a-thread\x00")
		if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0); err != nil {
			t.Error(err)
		}
		client.Close()
		server.Close()
	})
	b, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	want, seen := strings.TrimSpace(string(b)), 0
	err = s.Poll(200*time.Millisecond, func(k event.KernelEvent) {
		if e := k.Endpoint; e != nil && (e.Local.Port() == port || e.Remote.Port() == port) && e.Fin != nil {
			seen++
			if e.Fin.Comm != want || e.Fin.TID == e.Fin.PID {
				t.Errorf("%s[%d] in thread %d closed, want %s", e.Fin.Comm, e.Fin.PID, e.Fin.TID, want)
			}
		}
	})
	if err != nil || seen == 0 {
		t.Errorf("%d ends told, error %v", seen, err)
	}
}

// offMainThread runs f in a thread that ends with it, and is not the process's first.
func offMainThread(f func()) {
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			f()
			return
		}
		offMainThread(f)
		runtime.UnlockOSThread()
	}()
	<-done
}

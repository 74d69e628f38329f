//go:build amd64 || arm64

package follow

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lingers closes a socket whose peer does not read, and gets a signal while it waits.
func lingers(sig unix.Signal) {
	client, _ := pair()
	check(unix.SetNonblock(client, true))
	for err := error(nil); err == nil; {
		_, err = unix.Write(client, make([]byte, 1<<16))
	}
	check(unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 20}))
	told(bufio.NewReader(os.Stdin))
	tid, done := make(chan int), make(chan bool)
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		check(unix.Close(client))
		close(done)
	}()
	closer := <-tid
	for string(must(os.ReadFile(fmt.Sprintf("/proc/self/task/%d/wchan", closer)))) != "wait_woken" {
		runtime.Gosched()
	}
	check(unix.Tgkill(os.Getpid(), closer, sig))
	<-done
}

// TestFollowCutOff tells what cut off a close that lingers: to the kernel it returns 0, also where its thread has ended.
func TestFollowCutOff(t *testing.T) {
	for _, name := range []string{"interrupted", "killed"} {
		h := open(t)
		cmd, goOn := program(t, name)
		check(h.Follow([]int{cmd.Process.Pid}))
		goOn(false)
		h.until(t, cmd)
		if len(h.calls) == 0 || h.calls[0].Name != "close" {
			t.Fatalf("%s: calls %+v, want a close first", name, h.calls)
		}
		switch c := h.calls[0]; {
		case name == "interrupted" && (c.Signal != "SIGURG" || c.Ret != 0 || c.End.Sub(c.Start) > 10*time.Second):
			t.Errorf("%s: %+v, want 0 and the signal, before its time", name, c)
		case name == "killed" && (c.Signal != "SIGKILL" || c.Ret != -1 || c.End != 0 || c.Abandoned <= c.Start || c.Note != "did not return: SIGKILL ended its thread"):
			t.Errorf("%s: %+v, want no end, and what ended it", name, c)
		}
	}
}

//go:build linux && (amd64 || arm64)

package trace_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
	"github.com/closecap/closecap/capture/trace"
)

// programs are what the test binary can become. They make bare system calls, so that the tests
// know every one of them.
var programs = map[string]func(){
	"close-unread": closeUnread,
	"share":        share,
	"hold":         func() { io.Copy(io.Discard, os.Stdin) },
	"descriptors":  descriptors,
	"pass":         pass,
	"exec":         execute,
	"exec-thread":  executeThread,
	"nothing":      func() {},
	"kill":         kill,
	"close-inside": closeInside,
	"interrupted":  func() { lingers(unix.SIGURG) }, // which Go takes itself
	"cut-off":      func() { lingers(unix.SIGKILL) },
	"polls":        polls,
	"data":         data,
	"multipath":    multipath,
	"nonblocking":  nonblocking,
	"refused":      refused,
	"daemon":       daemon,
	"threads":      threads,
	"crowd":        crowd,
	"reuse":        reuse,
	"again":        again,
	"fast-open":    fastOpen,
	"sleep":        func() { connected(); unix.Pause() },
	"exit-7":       func() { os.Exit(7) },
	"tracer":       tracer,
	"many-sends":   manySends,
	"many-files":   manyFiles,
	"ring":         ring,
	"ring-holds":   ringHolds,
	"x32":          x32,
	"forbidden":    forbidden,
}

func closeUnread() {
	p := connected()
	must1(unix.Write(p.client, []byte("hello")))
	must(unix.Close(p.server))
	var b [16]byte
	unix.Read(p.client, b[:])
	must(unix.Close(p.client))
}

// share closes a socket that a child process holds too, and then lets the child end.
func share() {
	p := connected()
	child, in := self("hold")
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(must1(unix.Dup(p.client))), "client")}
	must(child.Start())
	child.ExtraFiles[0].Close()
	must(unix.Close(p.client))
	in.Close()
	must(child.Wait())
	var b [1]byte
	must1(unix.Read(p.server, b[:]))
}

// self prepares the test binary as another of its programs, which reads from the pipe.
func self(program string) (*exec.Cmd, io.WriteCloser) {
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), programEnv+"="+program)
	return child, must1(child.StdinPipe())
}

// descriptors duplicates and closes in every way.
func descriptors() {
	p := connected()
	high := must1(unix.FcntlInt(uintptr(p.client), unix.F_DUPFD_CLOEXEC, 100))
	must(unix.Dup3(p.client, p.server, 0)) // closes the server's end
	must1(unix.Dup(p.client))
	must(unix.CloseRange(uint(p.client), uint(p.client+10), 0)) // client, what was server, and the dup
	must(unix.Close(high))
}

// pass sends a socket through another socket, closes its own descriptor, and uses what comes out.
func pass() {
	p := connected()
	way := must1(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0))
	must(unix.Sendmsg(way[0], []byte("x"), unix.UnixRights(p.client), nil, 0))
	must(unix.Close(p.client))
	b, oob := make([]byte, 1), make([]byte, 100)
	_, n, _, _, err := unix.Recvmsg(way[1], b, oob, 0)
	must(err)
	messages := must1(unix.ParseSocketControlMessage(oob[:n]))
	fds := must1(unix.ParseUnixRights(&messages[0]))
	must1(unix.Write(fds[0], []byte("hi")))
	must(unix.Close(fds[0]))
}

// execute becomes another program; one end of the connection closes on exec.
func execute() {
	p := connected()
	must1(unix.FcntlInt(uintptr(p.server), unix.F_SETFD, 0))
	must1(unix.Write(p.server, []byte("abc")))
	must(os.Setenv(programEnv, "nothing"))
	must(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}

// executeThread makes the exec from a thread that is not the process's first, while that one
// is inside recv.
func executeThread() {
	p := connected()
	tid := unix.Gettid()
	go func() {
		runtime.LockOSThread()
		awaitSleep(tid)
		must(os.Setenv(programEnv, "nothing"))
		must(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
	}()
	var b [16]byte
	unix.Read(p.client, b[:])
}

func kill() {
	p := connected()
	must1(unix.Write(p.client, []byte("abc")))
	must(unix.Kill(os.Getpid(), unix.SIGKILL))
}

// closeInside closes a socket while another thread is inside recv on it.
func closeInside() {
	p := connected()
	tid, done := make(chan int), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		var b [16]byte
		unix.Read(p.client, b[:])
		close(done)
	}()
	awaitSleep(<-tid)
	must(unix.Close(p.client))
	must1(unix.Write(p.server, []byte("late")))
	<-done
}

// lingers closes a socket whose peer does not read, and gets a signal meanwhile. One that is sent to the process
// might go to another thread.
func lingers(sig unix.Signal) {
	p := connected()
	must(unix.SetsockoptInt(p.client, unix.SOL_SOCKET, unix.SO_SNDBUF, 4096))
	must(unix.SetNonblock(p.client, true))
	for err := error(nil); err == nil; {
		_, err = unix.Write(p.client, make([]byte, 1<<16))
	}
	must(unix.SetsockoptLinger(p.client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 20}))
	tid, done := make(chan int), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		must(unix.Close(p.client))
		close(done)
	}()
	closer := <-tid
	awaitSleep(closer)
	must(unix.Tgkill(os.Getpid(), closer, sig))
	<-done
}

// awaitSleep waits until the kernel says that the thread sleeps in a system call.
func awaitSleep(tid int) {
	for {
		b := must1(os.ReadFile(fmt.Sprintf("/proc/self/task/%d/wchan", tid)))
		if string(b) == "wait_woken" || string(b) == "sk_wait_data" {
			return
		}
		runtime.Gosched()
	}
}

// polls learns of a half-close by poll, and of the whole close by epoll.
func polls() {
	p := connected()
	ep := must1(unix.EpollCreate1(0))
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: 77, Pad: 99}
	must(unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, p.server, &event))
	must(unix.Shutdown(p.client, unix.SHUT_WR))
	plain := []unix.PollFd{{Fd: int32(p.server), Events: unix.POLLIN}}
	must1(unix.Poll(plain, -1))
	fds := []unix.PollFd{{Fd: int32(p.server), Events: unix.POLLIN | unix.POLLRDHUP}}
	must1(unix.Poll(fds, -1))
	must1(unix.Poll(fds, -1))
	must(unix.Shutdown(p.server, unix.SHUT_WR))
	events := make([]unix.EpollEvent, 4)
	must1(unix.EpollWait(ep, events, -1))
}

// data carries bytes by every call that can.
func data() {
	p := connected()
	b := make([]byte, 64)
	must1(unix.Writev(p.client, [][]byte{[]byte("wri"), []byte("tev")}))
	must1(unix.Readv(p.server, [][]byte{b[:3], b[3:]}))
	must1(unix.SendmsgN(p.client, []byte("sendmsg"), nil, nil, unix.MSG_NOSIGNAL))
	_, _, err := unix.Recvfrom(p.server, b, unix.MSG_PEEK)
	must(err)
	_, _, _, _, err = unix.Recvmsg(p.server, b, nil, 0)
	must(err)
	file := must1(os.CreateTemp("", ""))
	must(os.Remove(file.Name()))
	must1(file.WriteString("from a file"))
	var offset int64
	must1(unix.Sendfile(p.client, int(file.Fd()), &offset, 11))
	var pipe [2]int
	must(unix.Pipe(pipe[:]))
	must1(unix.Splice(p.server, nil, pipe[1], nil, 11, 0))
	must1(unix.Splice(pipe[0], nil, p.client, nil, 11, 0))
	linger := unix.Linger{Onoff: 1, Linger: 0}
	must(unix.SetsockoptLinger(p.client, unix.SOL_SOCKET, unix.SO_LINGER, &linger))
	must(unix.SetsockoptInt(p.client, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	must1(unix.GetsockoptInt(p.client, unix.SOL_SOCKET, unix.SO_ERROR))
	must1(unix.GetsockoptInt(p.client, unix.SOL_SOCKET, unix.SO_SNDBUF))
	var noFamily [16]byte // AF_UNSPEC: disconnect
	_, _, e := unix.RawSyscall(unix.SYS_CONNECT, uintptr(p.client), uintptr(unsafe.Pointer(&noFamily)), 16)
	if e != 0 {
		must(e)
	}
}

// nonblocking reads before there is anything, three times.
func nonblocking() {
	p := connected()
	must(unix.SetNonblock(p.client, true))
	b := make([]byte, 8)
	for range 3 {
		unix.Read(p.client, b)
	}
	must1(unix.Write(p.server, []byte("now")))
	must1(unix.Read(p.client, b))
}

func refused() {
	p := connected()
	addr := must1(unix.Getsockname(p.listener))
	must(unix.Close(p.listener))
	s := must1(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	unix.Connect(s, addr)
}

// daemon leaves a process of another session behind, which ends when it notices.
func daemon() {
	p := connected()
	child, _ := self("hold")
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(p.client), "client")}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(child.Start())
	os.Exit(3)
}

// tracer traces a program that waits for ever, and says its pid once it does.
func tracer() {
	_, err := trace.Run(context.Background(), trace.Options{
		Args: []string{"/proc/self/exe"}, Env: []string{programEnv + "=sleep"},
		OnCall: func(c event.Call) {
			if c.Name == "accept" {
				fmt.Println(c.PID)
			}
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, hint.Of(err))
	}
	must(err)
}

// manySends is the benchmark's program that does little but talk to itself.
func manySends() {
	p := connected()
	b := make([]byte, 100)
	for range 20_000 {
		must1(unix.Write(p.client, b))
		must1(unix.Read(p.server, b))
	}
}

// manyFiles is the benchmark's program that only reads files.
func manyFiles() {
	b := make([]byte, 100)
	for range 10_000 {
		fd := must1(unix.Open("/proc/self/exe", unix.O_RDONLY, 0))
		for range 4 {
			must1(unix.Read(fd, b))
		}
		must(unix.Close(fd))
	}
}

// threads has 200 threads talk to each other at once.
func threads() {
	var all sync.WaitGroup
	for range 100 {
		p := connected()
		must(unix.Close(p.listener))
		for _, fd := range []int{p.client, p.server} {
			all.Go(func() {
				runtime.LockOSThread()
				b := make([]byte, 8)
				for range 10 {
					must1(unix.Write(fd, b[:1]))
					must1(unix.Read(fd, b[:1]))
				}
				must(unix.Close(fd))
			})
		}
	}
	all.Wait()
}

// pair is a connection to oneself.
type pair struct{ listener, client, server int }

// connected opens a listener and a connection to it, on the main goroutine's thread from now on.
func connected() pair { return connectedBy(0) }

func connectedBy(proto int) pair {
	runtime.LockOSThread()
	var p pair
	p.listener = must1(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, proto))
	must(unix.Bind(p.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(unix.Listen(p.listener, 1))
	p.client = must1(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, proto))
	must(unix.Connect(p.client, must1(unix.Getsockname(p.listener))))
	server, _, err := unix.Accept4(p.listener, unix.SOCK_CLOEXEC)
	must(err)
	p.server = server
	return p
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}

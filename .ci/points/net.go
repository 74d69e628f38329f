package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// within runs f in a network namespace, on a thread that ends with it.
func within(ns string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is of no use to others
		fd, err := unix.Open("/run/netns/"+ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// tun makes a network device in a namespace, whose packets are read and written here.
func tun(ns, name string) (*os.File, error) {
	var file *os.File
	return file, within(ns, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		req, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
			return err
		}
		file = os.NewFile(uintptr(fd), name)
		return nil
	})
}

// command runs a program and says what it said where it failed.
func command(words ...string) error {
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// commands runs lines of a shell's words in a namespace.
func commands(ns, lines string) error {
	for line := range strings.Lines(lines) {
		if words := strings.Fields(line); len(words) > 0 {
			if err := command(append([]string{"ip", "netns", "exec", ns}, words...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// world is three namespaces in a row: a client's, a router's and a server's. What goes from one to the next passes a box. A second
// router lies beside the first, for what goes back another way.
type world struct {
	prefix string
	tuns   map[string]*os.File
	dumps  []*exec.Cmd
	dir    string
}

func (w *world) ns(of string) string { return w.prefix + of }

// newWorld builds it. nat lets the router translate the client's address.
func newWorld(dir string, nat bool) (*world, error) {
	w := &world{prefix: fmt.Sprintf("ccp%d", os.Getpid()), tuns: map[string]*os.File{}, dir: dir}
	for _, ns := range []string{"client", "router", "back", "server"} {
		if err := command("ip", "netns", "add", w.ns(ns)); err != nil {
			return w, err
		}
	}
	for _, d := range []struct{ name, ns string }{{"c0", "client"}, {"r0", "router"}, {"r1", "router"}, {"s0", "server"}, {"b0", "back"}, {"b1", "back"}} {
		file, err := tun(w.ns(d.ns), d.name)
		if err != nil {
			return w, fmt.Errorf("make %s: %w", d.name, err)
		}
		w.tuns[d.name] = file
	}
	up := "ip link set %s txqueuelen 20000 up\nip addr add %s/24 dev %[1]s\n"
	lines := map[string]string{
		"client": fmt.Sprintf(up, "c0", "10.81.1.2") + "ip route add default via 10.81.1.1\n",
		"server": fmt.Sprintf(up, "s0", "10.81.2.2") + "ip route add default via 10.81.2.1\n",
		"router": fmt.Sprintf(up, "r0", "10.81.1.1") + fmt.Sprintf(up, "r1", "10.81.2.1") +
			"sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.r0.rp_filter=0 net.ipv4.conf.r1.rp_filter=0\n",
		"back": fmt.Sprintf(up, "b0", "10.81.3.1") + fmt.Sprintf(up, "b1", "10.81.4.1") + "ip route add 10.81.1.0/24 dev b0\n" +
			"sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.b0.rp_filter=0 net.ipv4.conf.b1.rp_filter=0\n",
	}
	if nat {
		lines["router"] += "nft add table ip t\nnft add chain ip t post { type nat hook postrouting priority 100 ; }\nnft add rule ip t post oifname r1 masquerade random\n"
	}
	for ns, text := range lines {
		if err := commands(w.ns(ns), "ip link set lo up\n"+text); err != nil {
			return w, err
		}
	}
	return w, nil
}

// dump captures on a device in a namespace, and returns when it has begun.
func (w *world) dump(ns, device, file string) error {
	var said bytes.Buffer
	cmd := exec.Command("ip", "netns", "exec", w.ns(ns), "tcpdump", "-Z", "root", "-i", device, "-B", "32768", "--immediate-mode", "-s", "128", "-U", "-w", file, "tcp")
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	w.dumps = append(w.dumps, cmd)
	for range 500 {
		if info, err := os.Stat(file); err == nil && info.Size() >= 24 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("tcpdump in %s did not begin: %s", ns, said.String())
}

// endDumps ends the captures.
func (w *world) endDumps() error {
	for _, cmd := range w.dumps {
		cmd.Process.Signal(os.Interrupt)
	}
	var failed error
	for _, cmd := range w.dumps {
		failed = firstError(failed, cmd.Wait())
	}
	w.dumps = nil
	return failed
}

func (w *world) close() {
	w.endDumps()
	for _, f := range w.tuns {
		f.Close()
	}
	for _, ns := range []string{"client", "router", "back", "server"} {
		command("ip", "netns", "del", w.ns(ns))
	}
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

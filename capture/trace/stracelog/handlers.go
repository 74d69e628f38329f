package stracelog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze/event"
)

// handler builds what one system call gives.
type handler func(b *builder, p *process, r *raw, args []string)

// handlers are the calls that matter, by name.
var handlers = makeHandlers()

func makeHandlers() map[string]handler {
	h := map[string]handler{
		"socket": socketed, "accept": accepted, "accept4": accepted, "connect": connected,
		"bind": bound, "listen": onSocket("listen", secondArg),
		"shutdown": onSocket("shutdown", secondArg), "close": closed,
		"dup": duplicated, "dup2": duplicated, "dup3": duplicated, "fcntl": duplicated,
		"setsockopt": onSocket("setsockopt", optionArgs), "getsockopt": onSocket("getsockopt", optionRead),
		"sendfile": sentFile, "splice": spliced,
		"poll": polled, "ppoll": polled,
		"clone": cloned, "clone3": cloned, "fork": cloned, "vfork": cloned,
		"getsockname": learned, "getpeername": learned,
		"exit_group": nothing,
		"execve":     execed, "execveat": execed,
	}
	for _, name := range []string{"read", "recv", "recvfrom", "readv", "preadv2", "recvmsg", "recvmmsg"} {
		h[name] = onSocket("recv", dataArgs)
	}
	for _, name := range []string{"write", "send", "sendto", "writev", "pwritev2", "sendmsg", "sendmmsg"} {
		h[name] = onSocket("send", dataArgs)
	}
	return h
}

// nothing handles a call that only dates what the end of its process closes.
func nothing(*builder, *process, *raw, []string) {}

// onSocket handles a call whose first argument is the descriptor and that changes no table.
func onSocket(family string, describe func(e *event.Call, args []string) (deliver bool)) handler {
	return func(b *builder, p *process, r *raw, args []string) {
		d, s := b.subject(p, args)
		if s == nil {
			return
		}
		e := b.call(p, r, d.fd, s)
		e.Name = family
		if !describe(&e, args) && !b.opts.AllCalls {
			b.log.Folded++
			return
		}
		b.deliver(e, s)
	}
}

// subject returns the descriptor that a call is about and its socket, nil when it is none.
func (b *builder) subject(p *process, args []string) (descriptor, *socket) {
	if len(args) == 0 {
		return descriptor{}, nil
	}
	d, ok := parseDescriptor(args[0])
	if !ok {
		return d, nil
	}
	return d, b.at(p, d)
}

// arg returns an argument, "" when the line was cut off before it.
func arg(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

func secondArg(e *event.Call, args []string) bool {
	e.Args = arg(args, 1)
	return true
}

func optionArgs(e *event.Call, args []string) bool {
	value := arg(args, 3)
	if inner := elements(value); len(inner) == 1 {
		value = inner[0]
	}
	e.Args = arg(args, 2) + ", " + value
	return true
}

// optionRead reports whether the option tells of an end: all others only look.
func optionRead(e *event.Call, args []string) bool {
	e.Args, e.Text = arg(args, 2), arg(args, 3)
	if inner := elements(e.Text); len(inner) == 1 {
		e.Text = inner[0]
	}
	return e.Args == "SO_ERROR" || e.Args == "SO_LINGER"
}

// dataArgs describes a call that carries bytes: how many were asked for, the flags, the text.
func dataArgs(e *event.Call, args []string) bool {
	var size, flags string
	switch e.Syscall {
	case "read", "write":
		size = arg(args, 2)
	case "recv", "recvfrom", "send", "sendto":
		size, flags = arg(args, 2), arg(args, 3)
	case "recvmsg", "sendmsg":
		flags = arg(args, 2)
	case "recvmmsg", "sendmmsg":
		flags = arg(args, 3)
	}
	buffers := []string{arg(args, 1)}
	if n, err := strconv.ParseUint(size, 0, 64); err == nil {
		e.Args = fmt.Sprintf("%d bytes", n)
	} else {
		buffers = nil
		var total uint64
		for _, v := range elements(vectors(arg(args, 1))) {
			n, _ := strconv.ParseUint(field(v, "iov_len"), 0, 32)
			total += n
			buffers = append(buffers, field(v, "iov_base"))
		}
		e.Args = fmt.Sprintf("%d bytes", total)
	}
	if flags != "" && flags != "0" {
		e.Args += ", " + flags
	}
	e.Peek = strings.Contains(flags, "MSG_PEEK")
	if e.Ret > 0 {
		for _, text := range buffers {
			e.Text += unquote(text)
		}
	}
	return true
}

// vectors finds the iovec of a message, or the argument itself.
func vectors(s string) string {
	if strings.HasPrefix(s, "{") {
		return field(s, "msg_iov")
	}
	if list := elements(s); len(list) > 0 && strings.HasPrefix(list[0], "{msg_hdr=") {
		return field(field(list[0], "msg_hdr"), "msg_iov")
	}
	return s
}

// socketed handles socket(2).
func socketed(b *builder, p *process, r *raw, args []string) {
	d, ok := parseDescriptor(r.ret())
	if !ok {
		return
	}
	p.sockets[d.fd] = nil
	inet := strings.HasPrefix(arg(args, 0), "AF_INET") || strings.HasPrefix(arg(args, 0), "PF_INET")
	if !d.tcp && (d.annotated || !inet || !strings.Contains(arg(args, 1), "SOCK_STREAM")) {
		return
	}
	s := &socket{inode: d.inode}
	p.sockets[d.fd] = s
	e := b.call(p, r, d.fd, s)
	e.Args = arg(args, 0)
	b.deliver(e, s)
}

// bound handles bind(2). With port 0 only later calls show the address.
func bound(b *builder, p *process, r *raw, args []string) {
	d, s := b.subject(p, args)
	if s == nil {
		return
	}
	addr := parseSockaddr(arg(args, 1))
	if r.ret() == "0" && !s.local.IsValid() && addr.Port() != 0 {
		s.local = addr
	}
	e := b.call(p, r, d.fd, s)
	e.Args = addr.String()
	b.deliver(e, s)
}

// learned takes an address from getsockname(2) or getpeername(2): the only place where a log
// without -yy has it.
func learned(b *builder, p *process, r *raw, args []string) {
	_, s := b.subject(p, args)
	addr := parseSockaddr(arg(args, 1))
	switch {
	case s == nil || r.ret() != "0" || !addr.IsValid():
	case r.name == "getsockname" && !s.bound():
		s.local = addr
	case r.name == "getpeername" && !s.remote.IsValid():
		s.remote = addr
	}
}

// connected handles connect(2). The address that the socket got comes to light in later calls.
func connected(b *builder, p *process, r *raw, args []string) {
	d, s := b.subject(p, args)
	if s == nil {
		return
	}
	peer := parseSockaddr(arg(args, 1))
	e := b.call(p, r, d.fd, s)
	if !peer.IsValid() {
		e.Args = "AF_UNSPEC"
		b.deliver(e, s)
		if e.Errno == "" {
			p.sockets[d.fd] = &socket{inode: s.inode}
		}
		return
	}
	if e.Errno != "EISCONN" && !s.remote.IsValid() {
		s.remote = peer
	}
	e.Args, e.Remote = peer.String(), s.remote
	b.deliver(e, s)
}

// accepted handles accept(2) and accept4(2). The call is about the connection; its FD is the
// listener's.
func accepted(b *builder, p *process, r *raw, args []string) {
	d, listener := b.subject(p, args)
	if listener == nil {
		return
	}
	e := b.call(p, r, d.fd, listener)
	e.Name = "accept"
	s := listener
	if made, ok := parseDescriptor(r.ret()); ok {
		s = &socket{local: listener.local, remote: parseSockaddr(arg(args, 1))}
		if made.tcp {
			s = b.identify(nil, made)
		}
		p.sockets[made.fd] = s
		e.Accepted, e.Local, e.Remote = made.fd, s.local, s.remote
	}
	b.deliver(e, s)
}

// sentFile handles sendfile(2).
func sentFile(b *builder, p *process, r *raw, args []string) {
	d, s := b.subject(p, args)
	if s == nil {
		return
	}
	e := b.call(p, r, d.fd, s)
	from, _ := parseDescriptor(arg(args, 1))
	e.Name, e.Args = "send", fmt.Sprintf("%s bytes from fd %d", arg(args, 3), from.fd)
	b.deliver(e, s)
}

// spliced handles splice(2), whose one end may be a socket and whose other is a pipe.
func spliced(b *builder, p *process, r *raw, args []string) {
	in, _ := parseDescriptor(arg(args, 0))
	out, _ := parseDescriptor(arg(args, 2))
	family, d, direction, other := "recv", in, "to", out
	s := b.at(p, in)
	if s == nil {
		family, d, direction, other = "send", out, "from", in
		if s = b.at(p, out); s == nil {
			return
		}
	}
	e := b.call(p, r, d.fd, s)
	e.Name, e.Args = family, fmt.Sprintf("%s bytes %s fd %d", arg(args, 4), direction, other.fd)
	b.deliver(e, s)
}

// closed handles close(2).
func closed(b *builder, p *process, r *raw, args []string) {
	d, s := b.subject(p, args)
	if s == nil {
		delete(p.sockets, d.fd)
		return
	}
	b.deliver(b.call(p, r, d.fd, s), s)
	delete(p.sockets, d.fd)
}

// duplicated handles dup, dup2, dup3 and fcntl's F_DUPFD.
func duplicated(b *builder, p *process, r *raw, args []string) {
	if r.name == "fcntl" && !strings.HasPrefix(arg(args, 1), "F_DUPFD") {
		return
	}
	d, s := b.subject(p, args)
	made, ok := parseDescriptor(r.ret())
	if !ok || made.fd == d.fd {
		return
	}
	if old := p.sockets[made.fd]; old != nil {
		e := b.call(p, r, made.fd, old)
		e.Name, e.Ret, e.Note = "close", 0, "closed by "+r.name
		b.deliver(e, old)
	}
	p.sockets[made.fd] = s
	if s != nil {
		e := b.call(p, r, d.fd, s)
		e.Name, e.Args = "dup", fmt.Sprintf("to fd %d", made.fd)
		b.deliver(e, s)
	}
}

// polled handles poll(2) and ppoll(2): results that tell of an end, of AllCalls every one.
func polled(b *builder, p *process, r *raw, args []string) {
	_, list, ok := strings.Cut(r.ret(), "([")
	if !ok {
		return
	}
	asked := map[int]string{}
	for _, entry := range elements(arg(args, 0)) {
		if d, ok := parseDescriptor(field(entry, "fd")); ok {
			asked[d.fd] = field(entry, "events")
			if d.annotated {
				b.at(p, d)
			}
		}
	}
	for _, entry := range elements("[" + strings.TrimSuffix(list, ")")) {
		d, ok := parseDescriptor(field(entry, "fd"))
		got := field(entry, "revents")
		if !ok || p.sockets[d.fd] == nil || !revealing(got) && !b.opts.AllCalls {
			continue
		}
		e := b.call(p, r, d.fd, p.sockets[d.fd])
		e.Name, e.Args, e.Text = "poll", asked[d.fd], got
		b.deliver(e, p.sockets[d.fd])
	}
}

func revealing(events string) bool {
	return strings.Contains(events, "HUP") || strings.Contains(events, "POLLERR")
}

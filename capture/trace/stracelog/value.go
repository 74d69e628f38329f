package stracelog

import (
	"net/netip"
	"strconv"
	"strings"
)

// scan calls each for every byte of s that stands outside strings, comments and descriptor
// annotations, with how many brackets are open; it stops where each returns false.
func scan(s string, each func(i, depth int) bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			i = endOfString(s, i)
			continue
		case c == '<' && i > 0 && isDigit(s[i-1]):
			i = endOfAnnotation(s, i)
			continue
		case c == '/' && strings.HasPrefix(s[i:], "/*"):
			if end := strings.Index(s[i:], "*/"); end >= 0 {
				i += end + 1
				continue
			}
		}
		switch s[i] {
		case ')', ']', '}':
			depth--
		}
		if !each(i, depth) {
			return
		}
		switch s[i] {
		case '(', '[', '{':
			depth++
		}
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// endOfString returns the index of the quote that ends the string at i, or the last index.
func endOfString(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(s) - 1
}

// endOfAnnotation returns the index of the ">" that ends "<TCP:[a->b]>" or "</path>". An arrow
// does not end it, nor does one that opens within: "<char 1:3>>".
func endOfAnnotation(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '<':
			depth++
		case '>':
			if s[i-1] == '-' {
				continue
			}
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s) - 1
}

// closing returns the index of the parenthesis that ends the arguments, -1 when there is none.
func closing(s string) int {
	at := -1
	scan(s, func(i, depth int) bool {
		if depth < 0 && s[i] == ')' {
			at = i
		}
		return at < 0
	})
	return at
}

// split splits arguments at their outermost commas.
func split(s string) []string {
	var list []string
	from := 0
	scan(s, func(i, depth int) bool {
		if depth == 0 && s[i] == ',' {
			list = append(list, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
		return true
	})
	if last := strings.TrimSpace(s[from:]); last != "" || list != nil {
		list = append(list, last)
	}
	return list
}

// field returns the value of "name=value" in "{a=1, b=2}"; "" when it is not there.
func field(s, name string) string {
	if len(s) < 2 || s[0] != '{' {
		return ""
	}
	for _, f := range split(strings.TrimSuffix(s[1:], "}")) {
		if v, ok := strings.CutPrefix(f, name+"="); ok {
			return v
		}
	}
	return ""
}

// elements splits "[a, b]".
func elements(s string) []string {
	if len(s) < 2 || s[0] != '[' {
		return nil
	}
	return split(strings.TrimSuffix(s[1:], "]"))
}

// descriptor is "3", or with -y and -yy "3<TCP:[127.0.0.1:80->127.0.0.1:40112]>".
type descriptor struct {
	fd        int
	annotated bool
	tcp       bool   // annotated as TCP
	inode     uint64 // of "TCP:[16724]" and "socket:[16724]"

	local, remote netip.AddrPort
}

// parseDescriptor reads a descriptor; ok is false for anything else.
func parseDescriptor(s string) (d descriptor, ok bool) {
	number, note, annotated := strings.Cut(s, "<")
	fd, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || fd < 0 {
		return d, false
	}
	d.fd, d.annotated = fd, annotated
	note = strings.TrimSuffix(note, ">")
	kind, inner, bracket := strings.Cut(note, ":[")
	if !bracket {
		return d, true
	}
	inner = strings.TrimSuffix(inner, "]")
	switch kind {
	case "TCP", "TCPv6":
		d.tcp = true
		local, remote, connected := strings.Cut(inner, "->")
		d.local = parseAddr(local)
		if connected {
			d.remote = parseAddr(remote)
		}
		if !d.local.IsValid() {
			d.inode, _ = strconv.ParseUint(inner, 10, 64)
		}
	case "socket": // -y does not say which protocol
		d.annotated = false
		d.inode, _ = strconv.ParseUint(inner, 10, 64)
	}
	return d, true
}

func parseAddr(s string) netip.AddrPort {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// parseSockaddr reads "{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("1.2.3.4")}".
func parseSockaddr(s string) netip.AddrPort {
	port, addr := field(s, "sin_port"), field(s, "sin_addr")
	if port == "" {
		port, addr = field(s, "sin6_port"), inetPton(s)
	}
	n, err := strconv.ParseUint(call(port), 10, 16)
	ip, err2 := netip.ParseAddr(unquote(call(addr)))
	if err != nil || err2 != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ip.Unmap().WithZone(""), uint16(n))
}

// inetPton finds the address of "inet_pton(AF_INET6, "::1", &sin6_addr)", which strace prints
// without a field name.
func inetPton(s string) string {
	_, rest, ok := strings.Cut(s, "inet_pton(AF_INET6, ")
	if !ok {
		return ""
	}
	addr, _, _ := strings.Cut(rest, ",")
	return "(" + addr + ")"
}

// call returns what stands between the parentheses of "htons(80)".
func call(s string) string {
	_, inner, _ := strings.Cut(s, "(")
	return strings.TrimSuffix(inner, ")")
}

// unquote returns the bytes of a string as strace prints it, octal and hexadecimal escapes
// included. "…" at the end stands for what strace cut off.
func unquote(s string) string {
	if len(s) == 0 || s[0] != '"' {
		return ""
	}
	end := endOfString(s, 0)
	var b strings.Builder
	for i := 1; i < end; i++ {
		if s[i] != '\\' || i+1 >= end {
			b.WriteByte(s[i])
			continue
		}
		i++
		c, used := unescape(s[i:end])
		b.WriteByte(c)
		i += used - 1
	}
	if strings.HasPrefix(s[end+1:], "...") {
		b.WriteString("…")
	}
	return b.String()
}

// unescape reads what follows a backslash and says how many bytes it took.
func unescape(s string) (c byte, used int) {
	if i := strings.IndexByte("abtnvfr", s[0]); i >= 0 {
		return "\a\b\t\n\v\f\r"[i], 1
	}
	if s[0] == 'x' && len(s) >= 3 {
		if n, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
			return byte(n), 3
		}
	}
	n := 0
	for used < 3 && used < len(s) && s[used] >= '0' && s[used] <= '7' {
		n = n*8 + int(s[used]-'0')
		used++
	}
	if used == 0 {
		return s[0], 1
	}
	return byte(n), used
}

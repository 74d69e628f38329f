package words

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// maxKexInit is how much is kept of a packet of SSH: the lists of algorithms are long.
const maxKexInit = 8 << 10

// kexLists are what the lists of SSH_MSG_KEXINIT are of, in their order (RFC 4253 7.1), as OpenSSH says what does not match.
var kexLists = [...]string{"key exchange method", "host key type", "cipher", "cipher", "MAC", "MAC", "compression method", "compression method"}

// Of kexLists: the cipher and the MAC, each towards the server and back.
const kexCipher, kexMAC, kexCompression = 2, 4, 6

// kexInit reads the lists of algorithms of a packet; ok is false where they are not all there.
func kexInit(msg []byte) (lists [len(kexLists)][]string, ok bool) {
	const header = 4 + 1 + 1 + 16 // length, padding, type, cookie
	if len(msg) < header {
		return lists, false
	}
	b := msg[header:]
	for i := range lists {
		if len(b) < 4 {
			return lists, false
		}
		n := binary.BigEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) || !plainText(b[:n]) {
			return lists, false
		}
		lists[i], b = strings.Split(string(b[:n]), ","), b[n:]
	}
	return lists, true
}

// noMatch says of what the client offers nothing that the server has, by which both must end it (RFC 4253 7.1); ""
// where there is all.
func noMatch(client, server []byte) string {
	ours, ok := kexInit(client)
	theirs, whole := kexInit(server)
	if !ok || !whole {
		return ""
	}
	for i, name := range kexLists {
		if i >= kexMAC && i < kexCompression && sealsItself(ours[i-2], theirs[i-2]) {
			continue
		}
		if chosen(ours[i], theirs[i]) == "" {
			return fmt.Sprintf("no matching %s: the client offers %s, the server %s", name, offer(ours[i]), offer(theirs[i]))
		}
	}
	return ""
}

// chosen returns the first of the client's algorithms that the server has, too.
func chosen(client, server []string) string {
	for _, a := range client {
		if slices.Contains(server, a) && !isMark(a) {
			return a
		}
	}
	return ""
}

// isMark reports whether a name among the key exchange methods is none of them (RFC 8308 2.1, OpenSSH PROTOCOL 1.10).
func isMark(name string) bool {
	return strings.HasPrefix(name, "ext-info-") || strings.HasPrefix(name, "kex-strict-")
}

// sealsItself reports whether the cipher that is chosen needs no MAC, as OpenSSH has it for these.
func sealsItself(client, server []string) bool {
	c := chosen(client, server)
	return strings.HasSuffix(c, "-gcm@openssh.com") || strings.HasPrefix(c, "chacha20-poly1305")
}

// offer writes a list of algorithms.
func offer(list []string) string {
	list = slices.DeleteFunc(slices.Clone(list), isMark)
	const shown = 3
	if len(list) == 0 {
		return "none"
	}
	if more := len(list) - shown; more > 0 {
		return fmt.Sprintf("%s and %d more", clip([]byte(strings.Join(list[:shown], ","))), more)
	}
	return clip([]byte(strings.Join(list, ",")))
}

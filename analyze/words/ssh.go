package words

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// sshRefusals are what OpenSSH's server says in place of its banner.
var sshRefusals = []string{"Exceeded MaxStartups\r\n", "Not allowed at this time\r\n"}

// isSSH wants the banner of an end (RFC 4253 4.2), or a refusal in its place.
func isSSH(client, server []byte) answer {
	a := no
	if len(client) > 0 {
		a = begins(client, "SSH-")
	}
	if len(server) > 0 && a != yes {
		for _, s := range append([]string{"SSH-"}, sshRefusals...) {
			a = max(a, begins(server, s))
		}
		if a == yes && len(client) > 0 && begins(client, "SSH-") == no {
			return no
		}
	}
	return a
}

// SSH messages (RFC 4250 4.1.2).
const (
	sshDisconnect = 1
	sshNewKeys    = 21
)

// sshSize reads the length of a packet that is not encrypted (RFC 4253 6).
func sshSize(h []byte) (want int, total int64) {
	const header = 4
	if len(h) < header {
		return header - len(h), 0
	}
	n := int64(binary.BigEndian.Uint32(h))
	if n < 2 || n > 1<<18 {
		return 0, -1
	}
	return 0, header + n
}

// ssh follows the packets of SSH until they are encrypted.
type ssh struct {
	ends [2]struct {
		lines
		frames
		banner     string
		greeting   string // the last line before a banner
		disconnect string
		refusal    string // a line in clear where a packet is expected, as OpenSSH's server says what is wrong with a banner
		packets    bool
		keys       bool // what follows is encrypted
		at         spot
		closing    int64
	}
}

func newSSH() reader { return &ssh{} }

func (r *ssh) said(e End, b []byte, at spot) {
	d := &r.ends[e]
	if d.banner == "" {
		b = d.lines.feed(b, func(line []byte) bool {
			d.at = at
			if begins(line, "SSH-") != yes {
				d.greeting = clip(line)
				return true
			}
			d.banner = clip(line)
			return false
		})
	}
	if d.banner == "" || d.keys || len(b) == 0 {
		return
	}
	if e == Server && !d.packets && b[0] >= ' ' { // no packet is so long
		if line := []byte(firstLine(string(b))); d.refusal == "" && plainText(line) {
			d.refusal, d.at = clip(line), at
		}
		d.packets, d.frames.lost = true, true
		return
	}
	d.packets = true
	d.frames.feed(b, sshSize, func(msg []byte, total int64) { r.packet(e, msg, total, at) })
}

func (r *ssh) skip(e End, n int64) {
	d := &r.ends[e]
	if d.banner == "" {
		d.lines.lost = true
	}
	d.frames.skip(n, func(msg []byte, total int64) { r.packet(e, msg, total, d.at) })
}

func (r *ssh) packet(e End, msg []byte, total int64, at spot) {
	d := &r.ends[e]
	if d.keys || len(msg) < 6 {
		return
	}
	d.at, d.closing = at, 0
	switch msg[5] {
	case sshNewKeys:
		d.keys, d.frames.lost = true, true
	case sshDisconnect:
		d.closing = total
		d.disconnect = sshReason(msg[6:])
	}
}

// sshReason reads why an end disconnects (RFC 4253 11.1).
func sshReason(b []byte) string {
	if len(b) < 8 {
		return ""
	}
	code, n := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	text := b[8:]
	if int64(n) < int64(len(text)) {
		text = text[:n]
	}
	s := fmt.Sprintf("SSH disconnect %d", code)
	if text = bytes.TrimSpace(text); len(text) > 0 {
		s += " " + quoted(clip(text))
	}
	return s
}

func (r *ssh) last(e End, how fate) said {
	d := &r.ends[e]
	w := said{sure: analyze.Observed, tells: true, closing: d.closing, at: d.at}
	switch {
	case d.disconnect != "":
		w.meaning, w.goodbye = d.disconnect, goodbye{words: d.disconnect, name: "SSH disconnect", at: w.at}
	case d.refusal != "":
		w.meaning, w.goodbye = d.refusal, goodbye{words: d.refusal, name: "refusal", at: w.at, error: true}
	case d.banner == "" && d.greeting != "":
		w.meaning, w.goodbye = d.greeting, goodbye{words: d.greeting, name: "refusal", at: w.at, error: true}
	case how.done && e == Server && d.banner == "" && len(d.text) == 0 && !d.lines.lost:
		w.meaning, w.at = "no SSH banner", spot{}
	case how.done && d.banner != "" && !d.keys && !d.frames.lost:
		w.meaning = "the SSH key exchange was not complete"
	case d.banner != "":
		w.meaning, w.tells = strings.TrimSpace(d.banner), false
	default:
		return said{}
	}
	return w
}

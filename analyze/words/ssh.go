package words

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
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
		if a == yes && len(client) > 0 && begins(client, "SSH-") == no && begins(server, "SSH-") != yes {
			return no
		}
	}
	return a
}

// SSH messages (RFC 4250 4.1.2).
const (
	sshDisconnect = 1
	sshKexInit    = 20
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
	ends    [2]sshEnd
	noMatch string     // of what both ends offer
	heard   event.Time // when an end had last said something
	inVain  askings
	login   sshLogin
}

type sshEnd struct {
	lines
	frames
	banner     string
	greeting   string // a client's first line that is no banner, a server's last before it
	disconnect string
	packets    bool
	clear      bool   // a line comes where a packet is expected, as OpenSSH's server says what is wrong with a banner:
	refusal    string // the whole line
	keys       bool   // what follows is encrypted
	at         spot
	closing    int64
	kex        []byte // its lists of algorithms, until the other's have come
}

func newSSH() reader {
	r := &ssh{}
	for e := range r.ends {
		r.ends[e].frames.most = maxKexInit
	}
	return r
}

func (r *ssh) said(e End, b []byte, at spot) {
	d := &r.ends[e]
	if d.keys {
		r.inVain.says(e, len(b), at.time.Sub(r.heard), at)
		r.login.says(e, len(b))
	}
	r.heard = at.time
	if d.banner == "" {
		b = d.lines.feed(b, func(line []byte) bool {
			d.at = at
			if begins(line, "SSH-") != yes {
				if e == Server || d.greeting == "" {
					d.greeting = clip(line)
				}
				return true
			}
			d.banner = clip(line)
			return false
		})
	}
	if d.banner == "" || d.keys || len(b) == 0 {
		return
	}
	if d.clear = d.clear || e == Server && !d.packets && b[0] >= ' '; d.clear { // no packet is so long
		if d.refusal == "" {
			if len(d.text) == 0 {
				d.at = at
			}
			d.lines.feed(b, func(line []byte) bool {
				d.refusal = clip(line)
				return false
			})
		}
		return
	}
	d.packets = true
	d.frames.feed(b, sshSize, func(msg []byte, total int64) { r.packet(e, msg, total, at) })
}

func (r *ssh) skip(e End, n int64) {
	d := &r.ends[e]
	r.login.lost = true
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
	case sshKexInit:
		d.kex = bytes.Clone(msg)
		if a, b := r.ends[Client].kex, r.ends[Server].kex; a != nil && b != nil {
			r.noMatch = noMatch(a, b)
			r.ends[Client].kex, r.ends[Server].kex = nil, nil
		}
	case sshNewKeys:
		d.keys, d.frames = true, frames{lost: true}
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

// strange reports whether what an end says begins with no banner.
func (d *sshEnd) strange() bool {
	return d.banner == "" && (d.greeting != "" || begins(d.text, "SSH-") == no)
}

// hint says why the key exchange was not complete, as far as that shows.
func (r *ssh) hint(e End, how fate) string {
	switch o := &r.ends[e.Other()]; {
	case r.noMatch != "":
		return "; " + r.noMatch
	case o.frames.wrong && e == Server:
		return ": what the client sent is no SSH packet"
	case o.keys && e == Client && how.first:
		return ": the server's host key had come"
	}
	return ""
}

func (r *ssh) last(e End, how fate) said {
	d := &r.ends[e]
	w := said{sure: analyze.Observed, tells: true, closing: d.closing, at: d.at, sealed: d.keys, inVain: r.inVain.of()}
	refusal := cmp.Or(d.refusal, clip(d.text))
	if how.done && !d.keys && !d.lines.lost && !d.frames.lost {
		w.early = "the SSH key exchange was complete" + r.hint(e, how)
	}
	early := w.early
	if how.done && r.login.open() {
		w.early = sshNoLogin
	}
	switch {
	case e == Client && d.strange():
		w.meaning, w.strange = "no SSH", true
		if d.greeting != "" {
			w.meaning += " but " + quoted(d.greeting)
		}
	case d.disconnect != "":
		w.meaning, w.goodbye = d.disconnect, goodbye{words: d.disconnect, name: "SSH disconnect", at: w.at}
	case d.clear && plainText([]byte(refusal)):
		w.meaning, w.goodbye = refusal, goodbye{words: refusal, name: "refusal", at: w.at, error: true}
	case d.banner == "" && d.greeting != "":
		w.meaning, w.goodbye = d.greeting, goodbye{words: d.greeting, name: "refusal", at: w.at, error: true}
	case how.done && e == Server && d.banner == "" && len(d.text) == 0 && !d.lines.lost:
		w.meaning, w.at = "no SSH banner", spot{}
	case early != "" && d.banner != "":
		w.meaning = "the SSH key exchange was not complete"
	case d.banner != "":
		w.meaning, w.tells = strings.TrimSpace(d.banner), false
	default:
		return said{early: w.early}
	}
	return w
}

package compare

// Probe is a variation of a scenario: the same lines up to the closing call, then others that
// ask what that call left possible. A scenario's own lines answer few questions, and its
// second send tells nothing about the first recv.
type Probe struct {
	Name   string   `json:"name"`
	About  string   `json:"about"`
	Before []string `json:"before,omitempty"` // lines put right before the closing call
	After  []string `json:"after"`            // lines instead of all that followed it
}

// Ends are the words with which a script's lines address the two ends: an actor, or an actor
// and a socket ("server", "server:copy").
type Ends struct {
	This    string   // the closing call's own
	Peer    string   // the other end
	Holders []string // other processes that hold This's socket
	Gone    bool     // the closing call ended This's process
}

const (
	probeText = `"probe"`
	probeFork = "probe-fork"
	// probeLoad is more than a receive window holds at first, so that a part of it is still
	// unsent when the closing call is made, and less than a send buffer takes at once.
	probeLoad = "256k"
)

// Probes returns the variations of a scenario whose closing call was found.
func Probes(e Ends) []Probe {
	return []Probe{e.quiet(), e.send(), e.load(), e.fork()}
}

const probeRecv = " recv MSG_DONTWAIT"

func (e Ends) quiet() Probe {
	p := Probe{Name: "quiet", About: "the peer listens and sends nothing, then both processes end"}
	p.add(e.Peer+" poll POLLIN POLLOUT POLLRDHUP", e.Peer+probeRecv, e.Peer+probeRecv, e.Peer+probeRecv)
	if !e.Gone {
		p.add(e.This+probeRecv, e.This+" send "+probeText, e.Peer+probeRecv, actorOf(e.This)+" exit")
	}
	for _, h := range e.Holders {
		p.add(actorOf(h) + " exit")
	}
	p.add(e.Peer+probeRecv, e.Peer+probeRecv, e.Peer+" close")
	return p
}

func (e Ends) send() Probe {
	p := Probe{Name: "send", About: "the peer sends"}
	p.add(e.Peer + " send " + probeText)
	if !e.Gone {
		p.add(e.This + probeRecv)
	}
	for _, h := range e.Holders {
		p.add(h + probeRecv)
	}
	p.add(e.Peer+" send "+probeText, e.Peer+probeRecv, e.Peer+probeRecv)
	return p
}

func (e Ends) load() Probe {
	p := Probe{Name: "load",
		About:  "this end sends 256 KiB right before the call, more than the peer has room for",
		Before: []string{e.This + " send " + probeLoad}}
	for range 10 {
		p.add(e.Peer + " recv 512k MSG_DONTWAIT")
	}
	return p
}

func (e Ends) fork() Probe {
	_, socket := cutTarget(e.This)
	other := probeFork + socket
	p := Probe{Name: "fork", About: "another process holds the socket too",
		Before: []string{actorOf(e.This) + " fork " + probeFork}}
	p.add(other+probeRecv, other+" send "+probeText, e.Peer+probeRecv, e.Peer+probeRecv,
		e.Peer+" send "+probeText, other+probeRecv)
	return p
}

func (p *Probe) add(lines ...string) { p.After = append(p.After, lines...) }

// cutTarget splits "server:copy" into "server" and ":copy".
func cutTarget(word string) (actor, socket string) {
	for i := range word {
		if word[i] == ':' {
			return word[:i], word[i:]
		}
	}
	return word, ""
}

func actorOf(word string) string {
	actor, _ := cutTarget(word)
	return actor
}

package analyze

import (
	"net/netip"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// FindingKind is what may be worth a look in a capture of many connections, a stable code.
type FindingKind string

// The kinds, the worst first: connections that were not opened, requests that were lost, applications that do not
// go on.
const (
	FoundAcceptQueue   FindingKind = "accept-queue"
	FoundPorts         FindingKind = "ports"
	FoundKeepaliveRace FindingKind = "keepalive-race"
	FoundAtOnce        FindingKind = "closed-at-once"
	FoundSaid          FindingKind = "last-words"
	FoundCut           FindingKind = "cut"
	FoundTransfer      FindingKind = "transfer"
	FoundOutstanding   FindingKind = "request-outstanding"
	FoundResets        FindingKind = "resets"
	FoundCloseWait     FindingKind = "close-wait"
	FoundStalled       FindingKind = "stalled-reader"
	FoundFinWait2      FindingKind = "fin-wait2"
	FoundIdle          FindingKind = "idle-close"
)

var findingCodes = []Code[FindingKind]{
	{Code: FoundAcceptQueue, Means: "the server's kernel answered, and took neither the handshake's end nor the data", Topic: "accept-queue"},
	{Code: FoundPorts, Means: "the client was left in TIME_WAIT, which keeps its port", Topic: "time-wait"},
	{Code: FoundKeepaliveRace, Means: "a request met the close of an idle connection", Topic: "keepalive-race"},
	{Code: FoundAtOnce, Means: "the server closed it, as others in the same moment", Topic: "closing-politely"},
	{Code: FoundSaid, Means: "an end said why it was to end", Topic: "last-words"},
	{Code: FoundCut, Means: "it was closed in the middle of a message", Topic: "end-of-file-by-fin"},
	{Code: FoundTransfer, Means: "its file of FTP is cut, or not known to be whole", Topic: "end-of-file-by-fin"},
	{Code: FoundOutstanding, Means: "the server closed it with a request that had no answer", Topic: "last-words"},
	{Code: FoundResets, Means: "it was reset or refused", Topic: "reset"},
	{Code: FoundCloseWait, Means: "the client has closed, the server's application has not", Topic: "close-wait"},
	{Code: FoundStalled, Means: "an application did not read for a second or more", Topic: "window-zero"},
	{Code: FoundFinWait2, Means: "the server has closed, the client's application has not", Topic: "fin-wait2"},
	{Code: FoundIdle, Means: "the server closed it after a time in which nobody said anything", Topic: "keepalive-race"},
}

// FindingCodes lists the kinds of findings, the worst first.
func FindingCodes() []Code[FindingKind] { return append([]Code[FindingKind]{}, findingCodes...) }

// Finding is what several connections have in common that may be worth a look.
type Finding struct {
	Kind        FindingKind    `json:"kind"`
	Server      netip.AddrPort `json:"server"`
	Client      netip.Addr     `json:"client,omitzero"`       // of resets: where more than half come from; of ports: whose they are
	FromClient  uint64         `json:"from_client,omitempty"` // of resets: how many of the connections are that client's, at least
	By          Side           `json:"by,omitempty"`          // whose doing it is, where that is one end's
	Cause       ResetCause     `json:"cause,omitempty"`       // of resets
	Confidence  Confidence     `json:"confidence"`            // the weakest of those with which the connections say it
	Connections uint64         `json:"connections"`
	Missed      uint64         `json:"missed,omitempty"` // there may be as many more: not all were counted apart
	Example     int            `json:"example"`          // id of the connection that shows it best
	NS          int64          `json:"ns,omitempty"`     // the longest that it lasted, to the capture's end where it goes on
	Bytes       uint64         `json:"bytes,omitempty"`  // lost
	Share       float64        `json:"share,omitempty"`  // of the ephemeral ports, if it goes on at this rate
	Crossed     uint64         `json:"crossed,omitempty"`
	Said        string         `json:"said,omitempty"`      // of last words
	From        event.Time     `json:"from,omitzero"`       // of what was closed at once: when the first was,
	To          event.Time     `json:"to,omitzero"`         // and the last,
	Others      uint64         `json:"others,omitempty"`    // and how many went on
	Margin      *Range         `json:"margin_ns,omitempty"` // of keep-alive races: see IdleClose
	Idle        *IdleRange     `json:"idle_ns,omitempty"`
	Pick        []string       `json:"pick"`              // flags of closecap analyze that show these connections
	Command     string         `json:"command,omitempty"` // with them
}

// Range is from the least to the greatest.
type Range struct {
	Least int64 `json:"least"`
	Most  int64 `json:"most"`
}

// IdleRange is for how long both ends had been idle.
type IdleRange struct {
	Client Range `json:"client"`
	Server Range `json:"server"`
}

// longStall is how long an application must not have read to be worth a look.
const longStall = time.Second

// Found reports whether a finding of that kind is made of connections like c.
func (k FindingKind) Found(c *Connection) bool {
	switch k {
	case FoundAcceptQueue:
		return c.dropsHandshake() || c.Reset != nil && c.Reset.Cause == AcceptQueueFull
	case FoundPorts:
		for i := range c.TimeWait {
			if c.TimeWait[i].Holder == Client {
				return true
			}
		}
	case FoundKeepaliveRace:
		return c.IdleClose != nil
	case FoundAtOnce:
		return c.Closer == Server
	case FoundSaid:
		return c.LastWords != nil && c.LastWords.Said != ""
	case FoundCut:
		return c.endedFor(ReasonCut)
	case FoundTransfer:
		return c.Transfer != nil && (c.Transfer.Outcome == TransferCut || c.Transfer.Outcome == TransferUntold)
	case FoundOutstanding:
		return c.endedFor(ReasonOutstanding) && c.Closer == Server
	case FoundIdle:
		return c.endedFor(ReasonIdle) && c.Closer == Server
	case FoundResets:
		return c.Reset != nil
	case FoundCloseWait:
		return c.Waits(Server, event.CloseWait) != nil
	case FoundStalled:
		return c.Stall != nil && time.Duration(c.Stall.NS) >= longStall
	case FoundFinWait2:
		return c.Waits(Server, event.FinWait2) != nil
	}
	return false
}

func (c *Connection) endedFor(kind ReasonKind) bool {
	return c.LastWords != nil && c.LastWords.Kind == kind
}

// FirstEnd returns when the first FIN or RST came that its receiver took, 0 where none did.
func (c *Connection) FirstEnd() event.Time {
	for _, s := range c.Segments {
		if s.Flags&(event.FIN|event.RST) != 0 && s.Ignored == "" {
			return s.Time
		}
	}
	return 0
}

// Waits returns since when an end has been in a state that only an application's close() ends, nil where it is
// not, or no longer, in it.
func (c *Connection) Waits(s Side, state event.TCPState) *StateChange {
	if c.Ending != Open && c.Ending != HalfClosed {
		return nil
	}
	changes := *c.States.Of(s)
	if len(changes) == 0 || changes[len(changes)-1].State != state {
		return nil
	}
	return &changes[len(changes)-1]
}

// dropsHandshake reports whether the server's kernel sent its SYN,ACK again though the client had acknowledged it,
// and the client its data, of which the server took nothing: so does a kernel whose accept queue is full
// (tcp_v4_syn_recv_sock).
func (c *Connection) dropsHandshake() bool {
	if c.Retransmits.Server == 0 || c.Retransmits.Client == 0 || c.Bytes.Server > 0 || c.Bytes.Client == 0 {
		return false
	}
	acked, again := false, false
	for _, s := range c.Segments {
		switch {
		case s.From == Client:
			acked = acked || s.Flags.Has(event.ACK) && s.Ack >= 1
		case s.Kind == KindSynAck:
			again = again || acked
		case s.Flags.Has(event.RST):
		default:
			return false // it was opened
		}
	}
	return again
}

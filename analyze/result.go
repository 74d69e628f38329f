package analyze

import (
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
)

// Schema is the version of the JSON that a Result becomes. Fields are added to it, never
// renamed or removed, while the number stays.
const Schema = 1

// Result is everything that one input says: `--format json` writes it as it is.
type Result struct {
	Schema       int              `json:"schema"`
	Tool         string           `json:"tool"`
	Scenario     string           `json:"scenario,omitempty"`
	Remember     []string         `json:"remember,omitempty"` // what to take away, in words
	Explains     string           `json:"explains,omitempty"` // the topic that says more
	Capture      Capture          `json:"capture"`
	Kernel       *Kernel          `json:"kernel,omitempty"`
	Counters     map[string]int64 `json:"counters,omitempty"` // TcpExt deltas over the whole run
	Calls        []*Call          `json:"calls"`
	Findings     []Finding        `json:"findings,omitempty"` // what is worth a look, the worst first; of few connections none
	Connections  []*Connection    `json:"connections"`
	Expectations []Expectation    `json:"expectations,omitempty"`
	Warnings     []string         `json:"warnings"`

	MayRelay []MayRelay `json:"-"` // which of them do, last words tell
}

// Capture describes the evidence from the wire.
type Capture struct {
	Source       string     `json:"source"`
	Title        string     `json:"-"` // Source in few words, "" for Source itself
	LinkType     string     `json:"link_type"`
	Packets      uint64     `json:"packets"`
	Segments     uint64     `json:"segments"`
	Dropped      uint64     `json:"dropped"`
	Truncated    bool       `json:"truncated"`              // the snap length or the file's end cut packets
	Unparsed     uint64     `json:"unparsed,omitempty"`     // packets that should hold TCP and could not be read
	Unattributed uint64     `json:"unattributed,omitempty"` // segments whose root is unknown; only where calls were recorded
	Evicted      uint64     `json:"evicted,omitempty"`      // open connections given up for memory's sake
	Hurried      uint64     `json:"hurried,omitempty"`      // connections judged for memory's sake before nothing more could come of them
	First        event.Time `json:"first,omitzero"`
	Last         event.Time `json:"last,omitzero"`
}

// Kernel names the kernel that took part.
type Kernel struct {
	Release string `json:"release"`
	Netns   string `json:"netns"` // "private" or "host"
}

// Side is an end of a connection: "client" sent the first SYN, "server" is the other.
type Side string

// The sides. Both is only a closer, never a sender.
const (
	NoSide Side = ""
	Client Side = "client"
	Server Side = "server"
	Both   Side = "both"
)

// Other returns the opposite end of s.
func (s Side) Other() Side {
	switch s {
	case Client:
		return Server
	case Server:
		return Client
	}
	return s
}

// Confidence says how a claim is known.
type Confidence string

// The confidences, strongest evidence first.
const (
	InKernel Confidence = "kernel"   // the kernel said so
	Observed Confidence = "observed" // it stands in the packets or calls
	Inferred Confidence = "inferred" // it follows from the frames named beside it
	Unknown  Confidence = "unknown"  // the evidence does not say
)

// Call is an application call with what it did and what made it return. The event is the
// recording's own, and not to be changed.
type Call struct {
	*event.Call
	Connection int             `json:"connection,omitempty"` // id; 0 when it belongs to none
	Side       Side            `json:"side,omitempty"`
	Bytes      *[2]uint64      `json:"bytes,omitempty"`   // [from, to) of the stream that a data call covered
	Caused     []uint64        `json:"caused"`            // frames whose root it is, kernel answers included
	ReturnedBy []uint64        `json:"returned_by"`       // frames that made it return
	Explain    string          `json:"explain,omitempty"` // why it caused nothing, or returned what it did
	States     map[Side]string `json:"states,omitempty"`  // the kernel's states right after it

	Row     int  `json:"-"` // place in Result.Calls
	Guessed bool `json:"-"` // its connection is told by time or descriptor, not by its socket
}

// Connection is one incarnation of a 4-tuple.
type Connection struct {
	ID  int    `json:"id"`
	UID string `json:"uid,omitempty"` // see Identify
	// CommunityID is what other tools call the 4-tuple: see Identify.
	CommunityID string `json:"community_id,omitempty"`

	Client netip.AddrPort `json:"client"`
	Server netip.AddrPort `json:"server"`
	// Guessed says that no SYN was captured, so who is the client is a guess.
	Guessed    bool       `json:"guessed,omitempty"`
	Multipath  bool       `json:"mptcp,omitempty"` // a subflow of MPTCP, whose streams end by DATA_FIN
	Start      event.Time `json:"start"`
	End        event.Time `json:"end"`
	ISN        ISN        `json:"isn,omitzero"`
	FirstFrame uint64     `json:"first_frame"`
	LastFrame  uint64     `json:"last_frame"`
	// FirstFile is the file of its first frame, where several are read, and FirstFileFrame its number there.
	FirstFile      string  `json:"first_file,omitempty"`
	FirstFileFrame uint64  `json:"first_file_frame,omitempty"`
	Packets        PerSide `json:"packets"`
	Bytes          PerSide `json:"bytes"`                // payload, each byte once
	Retransmits    PerSide `json:"retransmits,omitzero"` // segments sent again

	Ending       Ending       `json:"ending"`
	Closer       Side         `json:"closer"` // who ended it first: client, server, both; "" where that is not known
	CloserSure   Confidence   `json:"closer_confidence,omitempty"`
	FinBy        Side         `json:"fin_by,omitempty"`     // half-closed: whose FIN came; fin-unacked: whose FIN has no ACK
	Candidates   []Possible   `json:"candidates,omitempty"` // what may be, where it is not known
	Simultaneous bool         `json:"simultaneous"`
	Confidence   Confidence   `json:"confidence"`
	Why          []string     `json:"why,omitempty"`          // the evidence for the ending, in words with frames
	LikelyCalls  []LikelyCall `json:"likely_calls,omitempty"` // inferred, of an end whose calls were not recorded

	HalfClose *HalfClose `json:"half_close,omitempty"`
	Stall     *Stall     `json:"stall,omitempty"`
	IdleClose *IdleClose `json:"idle_close,omitempty"`
	Relay     *Relay     `json:"relay,omitempty"`
	Transfer  *Transfer  `json:"transfer,omitempty"` // where last words were asked for
	Remapped  *Remapped  `json:"remapped,omitempty"`
	LastWords *LastWords `json:"last_words,omitempty"` // where they were asked for
	Reset     *Reset     `json:"reset,omitempty"`
	Lost      *Lost      `json:"lost,omitempty"`      // bytes lost without a reset, or of the end that sent the reset
	AlsoLost  *Lost      `json:"also_lost,omitempty"` // those of the other end, where Lost tells of one and no reset does
	// InFlight counts the bytes that were sent and not acknowledged when the capture ended.
	InFlight PerSide `json:"in_flight,omitzero"`
	// Vantages are the capture points that saw it, from the client's side to the server's, where several
	// were named; Path is what they tell together.
	Vantages []Vantage  `json:"vantages,omitempty"`
	Path     *Path      `json:"path,omitempty"`
	TimeWait []TimeWait `json:"time_wait,omitempty"`
	States   States     `json:"states"`
	Segments []*Segment `json:"segments"`
	Omitted  uint64     `json:"omitted,omitempty"` // segments not listed
	Compat   Compat     `json:"compat"`
	Explains string     `json:"explains,omitempty"` // topic of `closecap explain`
	Warnings []string   `json:"warnings"`
	Scenario string     `json:"scenario,omitempty"` // of run, where connections of several stand together

	Whole bool `json:"-"` // its own numbers leave no room for a packet that the capture lacks
}

// Possible is a value that a claim may have, where the evidence does not say, or in place of a cause that is
// inferred. It is never counted and never picked by a filter.
type Possible struct {
	Claim string `json:"claim"` // ClaimCloser or ClaimCause
	Value string `json:"value"`
	Why   string `json:"why,omitempty"` // why it is not known, or not sure
}

// What a Possible may be about.
const (
	ClaimCloser = "closer"
	ClaimCause  = "cause" // of the reset
)

// ISN holds the initial sequence number of each end whose SYN was captured, as in the header: with both
// of them a connection is known at another point of the network, also behind an address translation.
type ISN struct {
	Client *uint32 `json:"client,omitempty"`
	Server *uint32 `json:"server,omitempty"`
}

// PerSide is one number for each end.
type PerSide struct {
	Client uint64 `json:"client"`
	Server uint64 `json:"server"`
}

// Of returns a pointer to the number of side s.
func (p *PerSide) Of(s Side) *uint64 {
	if s == Server {
		return &p.Server
	}
	return &p.Client
}

// Ending is how a connection ended, a stable code.
type Ending string

// The endings.
const (
	Graceful      Ending = "graceful"
	HalfClosed    Ending = "half-closed" // one FIN; the other end never closed
	FinUnacked    Ending = "fin-unacked"
	WasReset      Ending = "reset"
	WasRefused    Ending = "refused"
	Unanswered    Ending = "unanswered"
	Open          Ending = "open"   // the capture ends first
	Silent        Ending = "silent" // retransmissions or keep-alives go unanswered
	UnknownEnding Ending = "unknown"
)

// ResetCause is why an RST was sent, a stable code.
type ResetCause string

// The reset causes.
const (
	UnreadData        ResetCause = "unread-data"
	LingerZero        ResetCause = "linger-zero"
	DataAfterClose    ResetCause = "data-after-close"
	NoSocket          ResetCause = "no-socket"
	AcceptQueueFull   ResetCause = "accept-queue-full"
	ConnRefused       ResetCause = "refused"
	ListenerClosed    ResetCause = "listener-closed"
	Disconnect        ResetCause = "disconnect"
	KeepaliveTimeout  ResetCause = "keepalive-timeout"
	TimeWaitReset     ResetCause = "time-wait"
	RetransmitTimeout ResetCause = "retransmit-timeout"
	Linger2           ResetCause = "linger2"
	Aborted           ResetCause = "aborted" // an active reset whose call is not known
	Middlebox         ResetCause = "middlebox"
	UnknownCause      ResetCause = "unknown"
)

// HalfClose is the time in which only one end had closed.
type HalfClose struct {
	By    Side   `json:"by"`
	NS    int64  `json:"ns"`    // from the first FIN to the second, or to the end of what was seen
	Bytes uint64 `json:"bytes"` // payload that the other end sent meanwhile
}

// Stall is the longest time in which an end announced window 0: its kernel had no room for more, since
// its application did not read.
type Stall struct {
	By    Side       `json:"by"` // whose application did not read
	Since event.Time `json:"since"`
	NS    int64      `json:"ns"`
	Ended bool       `json:"ended"` // the window opened again
}

// Reset is the RST that ended a connection.
type Reset struct {
	By         Side       `json:"by"`
	Frame      uint64     `json:"frame"`
	Cause      ResetCause `json:"cause"`
	Confidence Confidence `json:"confidence"`
	Trigger    uint64     `json:"trigger,omitempty"` // frame that drew it
	Call       int        `json:"call,omitempty"`    // call that drew it
	Why        []string   `json:"why,omitempty"`
	Lost       Lost       `json:"lost"`
}

// Lost counts payload bytes that did not reach an application, by kind.
type Lost struct {
	Unacked    uint64 `json:"unacked"`              // sent, never acknowledged
	Unread     uint64 `json:"unread"`               // acknowledged by a kernel whose application can no longer read them
	AfterClose uint64 `json:"after_close"`          // arrived after close
	Discarded  uint64 `json:"discarded,omitempty"`  // taken by send calls, thrown away by the sender's own kernel unsent
	TLSAlerts  uint64 `json:"tls_alerts,omitempty"` // of the bytes above those that are TLS alerts, no application's data
	Closing    uint64 `json:"closing,omitempty"`    // of the bytes above those of messages that only close, as a GOAWAY
	MayBe      uint64 `json:"may_be,omitempty"`     // sent, and its arrival not seen: it may be lost
	Missing    uint64 `json:"missing,omitempty"`    // missing from the capture, not from the connection
	From       Side   `json:"from,omitempty"`       // who had sent them
}

// TimeWait is one stay of one end in TIME_WAIT.
type TimeWait struct {
	Holder     Side       `json:"holder"`
	Since      event.Time `json:"since"`
	Until      event.Time `json:"until"`
	Assumed    bool       `json:"until_assumed,omitempty"` // its holder does not look like Linux, whose time this is
	Confidence Confidence `json:"confidence,omitempty"`
	Rearmed    []uint64   `json:"rearmed"`  // frames that started the wait anew
	EndedBy    string     `json:"ended_by"` // "", "expiry", "reuse", "rst"
	EndFrame   uint64     `json:"end_frame,omitempty"`
}

// States are the changes of both ends' states in time order.
type States struct {
	Client []StateChange `json:"client"`
	Server []StateChange `json:"server"`
}

// Of returns the changes of side s.
func (s *States) Of(side Side) *[]StateChange {
	if side == Server {
		return &s.Server
	}
	return &s.Client
}

// StateChange is an end's entry into a state, from Time on.
type StateChange struct {
	State      event.TCPState `json:"state"`
	Frame      uint64         `json:"frame"` // the frame that shows it; 0 when no frame does
	Time       event.Time     `json:"time"`
	Confidence Confidence     `json:"confidence,omitempty"`
}

// Kind is what a segment is to its connection.
type Kind string

// The kinds. FIN on data is KindFin, RST with anything KindRst.
const (
	KindSyn         Kind = "syn"
	KindSynAck      Kind = "syn-ack"
	KindData        Kind = "data"
	KindFin         Kind = "fin"
	KindAck         Kind = "ack"
	KindRst         Kind = "rst"
	KindKeepalive   Kind = "keepalive"
	KindWindowProbe Kind = "window-probe"
	KindWindow      Kind = "window-update"
	KindChallenge   Kind = "challenge-ack"
	KindOther       Kind = "other"
)

// Segment is a captured segment in its connection. Seq and Ack are relative to the initial
// sequence numbers (SYN 0, first byte 1).
type Segment struct {
	Frame       uint64      `json:"frame"`
	Time        event.Time  `json:"time"`
	From        Side        `json:"from"`
	Flags       event.Flags `json:"-"`
	FlagText    string      `json:"flags"`
	Seq         int64       `json:"seq"`
	Ack         int64       `json:"ack"`
	Len         uint32      `json:"len"`
	Window      uint16      `json:"win"`
	DataFin     bool        `json:"data_fin,omitempty"` // MPTCP's end of its sender's stream
	Kind        Kind        `json:"kind"`
	Retransmits uint64      `json:"retransmits"` // frame that it repeats, 0 when it is new
	Root        Root        `json:"root"`
	Answers     uint64      `json:"answers"`           // frame that it acknowledges or reacts to; 0 when none
	Ignored     string      `json:"ignored,omitempty"` // why its receiver did not act on it
	Lost        string      `json:"lost,omitempty"`    // why it seems not to have arrived; inferred
	Notes       []string    `json:"notes,omitempty"`
	Seen        []Sighting  `json:"seen,omitempty"` // where, of several capture points
}

// RootKind is what stands at the beginning of the chain that led to a segment.
type RootKind string

// The root kinds.
const (
	RootUnknown RootKind = "unknown"
	RootCall    RootKind = "call"   // sent inside this application call
	RootAnswer  RootKind = "answer" // a kernel answered a segment; Call is that segment's own root call
	RootTimer   RootKind = "timer"  // a kernel timer fired
	RootRemote  RootKind = "remote" // a process whose calls were not recorded
)

// Root is why a segment was sent.
type Root struct {
	Kind       RootKind   `json:"kind"`
	Call       int        `json:"call,omitempty"`  // id of the call at the root
	Calls      []int      `json:"calls,omitempty"` // all of them, when one segment serves several
	Frame      uint64     `json:"frame,omitempty"` // the frame answered or repeated
	Timer      string     `json:"timer,omitempty"` // retransmit, delayed-ack, keepalive, probe
	Confidence Confidence `json:"confidence,omitempty"`
	Why        string     `json:"why,omitempty"`
}

// LikelyCall is what an application probably called, told from the packets alone.
type LikelyCall struct {
	Side  Side   `json:"side"`
	Call  string `json:"call"` // "close()", "shutdown(SHUT_WR)"…
	Why   string `json:"why"`
	Frame uint64 `json:"frame"`
}

// Compat holds what other tools would say: doc/compat.md.
type Compat struct {
	ZeekConnState string `json:"zeek_conn_state"`
	ZeekHistory   string `json:"zeek_history"`
	Completeness  int    `json:"wireshark_completeness"`
	Tcptrace      string `json:"tcptrace"`
}

// Expectation is a line of a script with what came of it.
type Expectation struct {
	At   string `json:"at"`
	Text string `json:"text"`
	OK   bool   `json:"ok"`
	Got  string `json:"got"`
}

package script

import (
	"fmt"
	"strings"
	"testing"
)

// opened begins a script in which client and server are connected.
const opened = "server listen\nclient connect\nserver accept\n"

func TestParseNamesWhatIsWrongAndWhere(t *testing.T) {
	for _, tt := range []struct {
		name, script, want string
	}{
		{"empty", "# nothing: at all\n", "x.close:1: the script has no line that does anything"},
		{"unknown actor", "clinet connect", `x.close:1: unknown actor or command "clinet": did you mean "client"?`},
		{"unknown command", "utnil client TIME_WAIT", `x.close:1: unknown actor or command "utnil": did you mean "until"?`},
		{"no actor", "connect", `x.close:1: who does "connect"? A line begins with an actor: client connect`},
		{"no call", "client", "x.close:1: what does client do? A call is missing"},
		{"unknown call", "client conect", `x.close:1: unknown call "conect": did you mean "connect"?`},
		{"string without end", opened + `client send "Hello`, `x.close:4: a string does not end: "Hello`},
		{"bad escape", opened + `client send "\q"`, `x.close:4: a string does not end`},
		{"nothing to send", opened + "client send", `x.close:4: send: want "TEXT" or a number of bytes`},
		{"bad size", opened + "client send many", `x.close:4: "many" is not a size`},
		{"too large", opened + "client send 65M", `x.close:4: "65M" is not a size`},
		{"unknown flag", opened + "client recv 12 MSG_PEAK", `x.close:4: unknown flag "MSG_PEAK": did you mean "MSG_PEEK"?`},
		{"direction", opened + "client shutdown WRITE", `x.close:4: unknown direction "WRITE": did you mean "WR"?`},
		{"too many words", opened + "client close now", `x.close:4: unexpected "now" (usage: close)`},
		{"socket not open", "client send \"x\"", "x.close:1: client has no connection yet"},
		{"unknown socket", opened + "client:two close", "x.close:4: client has no socket two (it has client)"},
		{"no listener", "server accept", "x.close:1: server has no socket listener to accept from"},
		{"unknown option", "client setsockopt SO_LINGR 0", `x.close:1: unknown socket option "SO_LINGR": did you mean "SO_LINGER"?`},
		{"bad value", "client setsockopt SO_LINGER soon", "x.close:1: SO_LINGER soon: not a value that it takes"},
		{"read-only option", "client setsockopt SO_ERROR 0", "x.close:1: SO_ERROR cannot be set"},
		{"bad port", "client connect +99", `x.close:1: "+99" is not a port`},
		{"unknown outcome", opened + "client recv -> ECONNREST", `x.close:4: unknown outcome "ECONNREST": did you mean "ECONNRESET"?`},
		{"no outcome", opened + "client recv ->", `x.close:4: "->" wants one outcome`},
		{"two outcomes", opened + "client recv -> EOF -> 0", `x.close:4: two outcomes`},
		{"outcome alone", "-> EOF", "x.close:1: an outcome without a call"},
		{"outcome of a directive", "wait 1s -> 0", "x.close:1: wait has no outcome"},
		{"fork twice", opened + "client fork c\nclient fork c", "x.close:5: there already is an actor c"},
		{"forks without end", opened + forks(mostActors-1), "x.close:66: c62 would be the 65th process: a script has at most 64"},
		{"actors without end", actors(mostActors - 1), "x.close:63: a62 would be the 65th process: a script has at most 64"},
		{"after exit", opened + "client exit\nclient close", "x.close:5: client no longer runs here"},
		{"after kill", opened + "kill client\nclient close", "x.close:5: client no longer runs here"},
		{"kill unknown", "kill clent", `x.close:1: unknown actor "clent": did you mean "client"?`},
		{"join nothing", opened + "client join", "x.close:4: client has no call to join: client& begins one"},
		{"background fork", opened + "client& fork c", "x.close:4: fork cannot be made in the background"},
		{"fork of a socket", opened + "client:listener fork c", "x.close:4: fork concerns the whole process"},
		{"together", opened + "client+server exit", "x.close:4: exit cannot be done by several at the same time"},
		{"bad wait", "wait long", `x.close:1: wait: "long" is not a duration`},
		{"unknown state", opened + "until client TIMEWAIT", `x.close:4: unknown state "TIMEWAIT": did you mean "TIME_WAIT"?`},
		{"unknown kind", opened + "drop client FINS", `x.close:4: unknown kind of segment "FINS": did you mean "FIN"?`},
		{"pass without drop", opened + "pass client", "x.close:4: nothing is dropped at client"},
		{"sysctl path", "sysctl ../core/somaxconn 1", "x.close:1: sysctl: \"../core/somaxconn\" is not a name"},
		{"sysctl value", "sysctl tcp_fin_timeout", "x.close:1: sysctl: want a name below net.ipv4 and a value"},
		{"expect nothing", "expect", "x.close:1: expect: nothing is expected"},
		{"unknown subject", "expect endng graceful", `x.close:1: unknown subject "endng": did you mean "ending"?`},
		{"unknown ending", "expect ending gracefull", `x.close:1: unknown ending "gracefull": did you mean "graceful"?`},
		{"unknown cause", "expect reset linger-zer by client", `x.close:1: unknown cause "linger-zer": did you mean "linger-zero"?`},
		{"reset without by", "expect reset linger-zero client", "x.close:1: want a cause, and by whom"},
		{"unknown side", "expect state clint TIME_WAIT", `x.close:1: unknown side "clint": did you mean "client"?`},
		{"wire without side", "expect wire FIN", "x.close:1: a segment begins with its side"},
		{"unknown segment", "expect wire client FINN", `x.close:1: unknown kind of segment "FINN": did you mean "FIN"?`},
		{"connection number", "expect connection zero ending open", "x.close:1: expect connection zero: want a number from 1"},
		{"counter", "expect counter TW many", `x.close:1: "many" is not a number`},
		{"lost", "expect lost unread", "x.close:1: want a kind and a number of bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse("x.close", []byte(tt.script))
			if err == nil {
				t.Fatalf("Parse() = %v, want an error", s.Steps)
			}
			if !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Parse() = %v, want %v…", err, tt.want)
			}
		})
	}
}

// forks and actors return n lines that each add a process.
func forks(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "client fork c%d\n", i)
	}
	return b.String()
}

func actors(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "actor a%d\n", i)
	}
	return b.String()
}

// TestParseTakesManyProcesses accepts as many as there may be.
func TestParseTakesManyProcesses(t *testing.T) {
	if _, err := Parse("x.close", []byte(opened+forks(mostActors-2))); err != nil {
		t.Error(err)
	}
}

func TestParseReportsEveryError(t *testing.T) {
	_, err := Parse("x.close", []byte("client conect\nserver listn\n"))
	want := `x.close:1: unknown call "conect": did you mean "connect"?` + "\n" +
		`x.close:2: unknown call "listn": did you mean "listen"?`
	if err == nil || err.Error() != want {
		t.Errorf("Parse() = %v, want %v", err, want)
	}
}

func TestParseReadsTheHeader(t *testing.T) {
	s, err := Parse("dir/mine.close", []byte(`# mine: what it
#
# A paragraph
# of two lines.
#
# Another.
#
# Remember: one thing
# that is long.
# Remember: two.
#
# Explains: time-wait

client connect -> ECONNREFUSED # none listens
`))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "mine" || s.Title != "what it" || s.Explains != "time-wait" || s.NeedsPrivate {
		t.Errorf("Parse() = %q %q %q %v, want mine, what it, time-wait, false", s.Name, s.Title, s.Explains, s.NeedsPrivate)
	}
	if want := "A paragraph of two lines.\n\nAnother."; s.About != want {
		t.Errorf("About = %q, want %q", s.About, want)
	}
	if got := strings.Join(s.Remember, "|"); got != "one thing that is long.|two." {
		t.Errorf("Remember = %q", got)
	}
}

func TestParseKeepsWhatALineSays(t *testing.T) {
	s, err := Parse("x.close", []byte(opened+
		"client:two bind +3\nclient& send 64k MSG_MORE -> 65536\nclient send \"a b\\n\" -> \"x\"\n"+
		"drop client+server FIN ACK\nexpect connection 2 wire client FIN, server DATA 12 again\n"))
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Steps[3]; st.Socket != "two" || st.Port.Resolve(5000) != 5003 {
		t.Errorf("bind: socket %q port %d, want two 5003", st.Socket, st.Port.Resolve(5000))
	}
	if st := s.Steps[4]; !st.Background || st.Op.Size != 65536 || st.Want != "65536" || st.Op.Words[0] != "MSG_MORE" {
		t.Errorf("send 64k = %+v", st)
	}
	if st := s.Steps[5]; string(st.Op.Text) != "a b\n" || st.Want != `"x"` {
		t.Errorf("send = %q -> %s", st.Op.Text, st.Want)
	}
	if st := s.Steps[6]; len(st.With) != 1 || st.With[0].Actor != "server" || !s.NeedsPrivate {
		t.Errorf("drop = %+v, private %v", st, s.NeedsPrivate)
	}
	e := s.Steps[7].Expect
	if e.Connection != 2 || e.Subject != "wire" || strings.Join(e.Args, "|") != "client FIN|server DATA 12 again" {
		t.Errorf("expect = %+v", e)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range Builtin() {
		f.Add(s.Source)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if s, err := Parse("x.close", src); err == nil && len(s.Steps) == 0 {
			t.Error("Parse() accepted a script without a step")
		}
	})
}

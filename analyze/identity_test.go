package analyze

import (
	"net/netip"
	"regexp"
	"testing"
)

// The Community IDs are those that Wireshark's dissector communityid gives.
func TestCommunityID(t *testing.T) {
	for _, test := range []struct{ client, server, want string }{
		{"128.232.110.120:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"66.35.250.204:80", "128.232.110.120:34855", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"127.0.0.1:54402", "127.0.0.1:5000", "1:NZ1SmyFBsTJatE0isF4f2k1RGnw="},
		{"[2001:db8::1]:40000", "[2001:db8::2]:80", "1:62cu0uxFAvnY7Tg3u3uFj0zrwAU="},
		{"[2001:db8::2]:80", "[2001:db8::1]:40000", "1:62cu0uxFAvnY7Tg3u3uFj0zrwAU="},
	} {
		c := &Connection{Client: netip.MustParseAddrPort(test.client), Server: netip.MustParseAddrPort(test.server), Start: 5}
		Identify(c)
		if c.CommunityID != test.want {
			t.Errorf("%s > %s: %s, want %s", test.client, test.server, c.CommunityID, test.want)
		}
		if !regexp.MustCompile(`^C[0-9A-Za-z]{17}$`).MatchString(c.UID) {
			t.Errorf("%s > %s: UID %q", test.client, test.server, c.UID)
		}
	}
}

func TestUID(t *testing.T) {
	a := &Connection{Client: netip.MustParseAddrPort("10.0.0.1:1"), Server: netip.MustParseAddrPort("10.0.0.2:2"), Start: 5, ID: 1}
	b, later := *a, *a
	b.ID, later.Start = 2, 6
	for _, c := range []*Connection{a, &b, &later} {
		Identify(c)
	}
	if a.UID != b.UID {
		t.Errorf("UID %s and %s of the same connection", a.UID, b.UID)
	}
	if a.UID == later.UID {
		t.Errorf("UID %s of two connections", a.UID)
	}
}

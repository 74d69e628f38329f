package words

import (
	"encoding/binary"
	"strings"
	"testing"
)

// kexInitOf writes a packet SSH_MSG_KEXINIT with lists.
func kexInitOf(lists ...string) []byte {
	msg := make([]byte, 22)
	msg[5] = sshKexInit
	for _, l := range lists {
		msg = append(binary.BigEndian.AppendUint32(msg, uint32(len(l))), l...)
	}
	return msg
}

// TestNoMatch holds which algorithm two ends have not in common, by RFC 4253 7.1.
func TestNoMatch(t *testing.T) {
	const kex, key, cbc, gcm, mac, none = "curve25519-sha256,ext-info-c", "ssh-ed25519", "aes128-cbc,aes128-ctr", "aes256-gcm@openssh.com", "hmac-sha2-256", "none"
	server := kexInitOf("curve25519-sha256,ext-info-s", key, "aes128-ctr,"+gcm, "aes128-ctr,"+gcm, "hmac-sha1", "hmac-sha1", none, none)
	for name, tt := range map[string]struct {
		client []byte
		want   string
	}{
		"all":         {kexInitOf(kex, key, cbc, cbc, "hmac-sha1", "hmac-sha1", none, none), ""},
		"a mark":      {kexInitOf("ext-info-s,kex-strict-c", key, cbc, cbc, mac, mac, none, none), "no matching key exchange method: the client offers none, the server curve25519-sha256"},
		"the key":     {kexInitOf(kex, "ssh-rsa", cbc, cbc, mac, mac, none, none), "no matching host key type: the client offers ssh-rsa, the server ssh-ed25519"},
		"the cipher":  {kexInitOf(kex, key, "a,b,c,d,e", cbc, mac, mac, none, none), "no matching cipher: the client offers a,b,c and 2 more, the server aes128-ctr,aes256-gcm@openssh.com"},
		"a MAC":       {kexInitOf(kex, key, cbc, cbc, mac, mac, none, none), "no matching MAC: the client offers hmac-sha2-256, the server hmac-sha1"},
		"without MAC": {kexInitOf(kex, key, gcm, gcm, mac, mac, none, none), ""},
		"compression": {kexInitOf(kex, key, gcm, gcm, mac, mac, "zlib", none), "no matching compression method: the client offers zlib, the server none"},
		"cut":         {kexInitOf(kex, "ssh-rsa", cbc, cbc, mac, mac, none), ""},
		"control":     {kexInitOf(kex, "ssh-\x1brsa", cbc, cbc, mac, mac, none, none), ""},
	} {
		if got := noMatch(tt.client, server); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	long := kexInitOf(kex, strings.Repeat("x", maxKexInit))
	long[22+4+len(kex)] = 0xff // its length reaches beyond the packet
	if got := noMatch(long, server); got != "" {
		t.Errorf("a list beyond its packet: %q", got)
	}
}

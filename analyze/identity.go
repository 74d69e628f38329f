package analyze

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
)

// Identify sets c's UID and CommunityID. They cost a hash each, so that nobody pays who does not ask.
func Identify(c *Connection) {
	c.CommunityID = communityID(c.Client, c.Server)
	c.UID = uid(c)
}

const protocolTCP = 6

// ordered appends the lower of two endpoints and then the other, as the specification of the Community
// ID orders them: by address and then by port, as the packets hold them.
func ordered(b []byte, one, other netip.AddrPort) []byte {
	if other.Compare(one) < 0 {
		one, other = other, one
	}
	b = append(append(b, one.Addr().AsSlice()...), other.Addr().AsSlice()...)
	b = append(b, protocolTCP, 0)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, one.Port()), other.Port())
}

// communityID is https://github.com/corelight/community-id-spec, version 1, with the usual seed of 0.
func communityID(one, other netip.AddrPort) string {
	var room [40]byte
	sum := sha1.Sum(ordered(room[:2], one, other)) // the seed, in two bytes
	return "1:" + base64.StdEncoding.EncodeToString(sum[:])
}

// uid names a connection by its endpoints and when it began, in the form of Zeek's: it is the same whatever
// else is analyzed beside it, and in each run.
func uid(c *Connection) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var room [48]byte
	sum := sha1.Sum(ordered(binary.BigEndian.AppendUint64(room[:0], uint64(c.Start)), c.Client, c.Server))
	out := [18]byte{0: 'C'}
	hi, lo := binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])
	for i := 1; i < len(out); i++ {
		n := &hi
		if i > 9 {
			n = &lo
		}
		out[i] = digits[*n%62]
		*n /= 62
	}
	return string(out[:])
}

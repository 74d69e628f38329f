package analyze

// IsToItself reports whether c joins a socket to itself (RFC 9293 3.5, simultaneous open). All of it is the client's
// then: one stream, one FIN, one TIME_WAIT.
func (c *Connection) IsToItself() bool { return c.Client == c.Server && c.Client.IsValid() }

// Peer returns the end that receives what side sends.
func (c *Connection) Peer(side Side) Side {
	if c.IsToItself() {
		return side
	}
	return side.Other()
}

package partial

import (
	"encoding/binary"
	"hash/crc32"
)

// Sealed returns a part with that body, its header right.
func Sealed(body []byte) []byte {
	part := binary.BigEndian.AppendUint32(append([]byte(magic), version), crc32.Checksum(body, castagnoli))
	return append(part, body...)
}

// FlushAt sets the size at which p flushes.
func (p *Packer) FlushAt(size int) { p.most = size }

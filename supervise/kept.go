package supervise

import (
	"encoding/binary"
	"time"
)

// kept is what is kept of the output of a program: its last lines, and how many there were.
// The reader's lock guards it.
type kept struct {
	program string
	lines   uint64 // that it has written
	dropped uint64 // of those, the ones that have not come to where they should have gone

	ring        []byte // records, the oldest at first; grown on demand
	first, used int
}

// record is the head of a line in a ring.
type record struct {
	n      uint64
	at     int64 // nanoseconds since 1970
	pid    int32
	length uint16
	stderr bool
}

const (
	recordHead   = 8 + 8 + 4 + 2 + 1
	recordTail   = 2 // the length once more, to go back by
	smallestRing = 256
)

func (h record) size() int { return recordHead + int(h.length) + recordTail }

func (h record) bytes() (b [recordHead]byte) {
	binary.LittleEndian.PutUint64(b[0:], h.n)
	binary.LittleEndian.PutUint64(b[8:], uint64(h.at))
	binary.LittleEndian.PutUint32(b[16:], uint32(h.pid))
	binary.LittleEndian.PutUint16(b[20:], h.length)
	if h.stderr {
		b[22] = 1
	}
	return b
}

func recordOf(b []byte) record {
	return record{n: binary.LittleEndian.Uint64(b[0:]), at: int64(binary.LittleEndian.Uint64(b[8:])),
		pid: int32(binary.LittleEndian.Uint32(b[16:])), length: binary.LittleEndian.Uint16(b[20:]), stderr: b[22] != 0}
}

// put appends bytes, for which there is room.
func (k *kept) put(b []byte) {
	at := (k.first + k.used) % len(k.ring)
	n := copy(k.ring[at:], b)
	copy(k.ring, b[n:])
	k.used += len(b)
}

// get copies what is at an offset from the oldest byte.
func (k *kept) get(offset int, b []byte) {
	n := copy(b, k.ring[(k.first+offset)%len(k.ring):])
	copy(b[n:], k.ring)
}

// dropOldest makes room for so many bytes, as far as there can be any.
func (k *kept) dropOldest(room int) {
	var head [recordHead]byte
	for k.used > 0 && len(k.ring)-k.used < room {
		k.get(0, head[:])
		size := recordOf(head[:]).size()
		k.first, k.used = (k.first+size)%len(k.ring), k.used-size
	}
}

// resize gives the ring another size; what has no place in it goes, the oldest first.
func (k *kept) resize(size int) {
	if size == 0 {
		k.ring, k.first, k.used = nil, 0, 0
		return
	}
	k.dropOldest(len(k.ring) - size)
	next := make([]byte, size)
	if k.used > 0 {
		k.get(0, next[:k.used])
	}
	k.ring, k.first = next, 0
}

// linesOf are the lines in what last has returned, whose Text is part of it.
func linesOf(program string, b []byte) (lines []Line) {
	for len(b) > 0 {
		h := recordOf(b)
		lines = append(lines, Line{N: h.n, Program: program, PID: int(h.pid), Time: time.Unix(0, h.at), Stderr: h.stderr,
			Text: b[recordHead : recordHead+int(h.length) : recordHead+int(h.length)]})
		b = b[h.size():]
	}
	return lines
}

// areRecords says whether linesOf can make lines of b.
func areRecords(b []byte) bool {
	for len(b) > 0 {
		if len(b) < recordHead || len(b) < recordOf(b).size() {
			return false
		}
		b = b[recordOf(b).size():]
	}
	return true
}

// last is so many of the last records, one after the other, in memory of its own.
func (k *kept) last(n int) []byte {
	from := k.used
	for ; n > 0 && from > 0; n-- {
		var tail [recordTail]byte
		k.get(from-recordTail, tail[:])
		from -= record{length: binary.LittleEndian.Uint16(tail[:])}.size()
	}
	b := make([]byte, k.used-from)
	if len(b) > 0 {
		k.get(from, b)
	}
	return b
}

// keeping is the memory for last lines, of which there is a bounded amount for all programs together.
type keeping struct {
	bound int
	taken int     // by rings
	rings []*kept // of those that have said something
	n     uint64  // of the last line
	hear  func(*Line)
}

// keep keeps a line, at the cost of the oldest of whoever has the most.
func (g *keeping) keep(k *kept, line *Line) {
	h := record{n: line.N, at: line.Time.UnixNano(), pid: int32(line.PID), length: uint16(len(line.Text)),
		stderr: line.Stderr}
	g.makeRoom(k, h.size())
	if most := len(k.ring) - recordHead - recordTail; most < int(h.length) {
		if most < 1 {
			return
		}
		h.length = uint16(most)
	}
	k.dropOldest(h.size())
	head := h.bytes()
	k.put(head[:])
	k.put(line.Text[:h.length])
	k.put(head[20:22])
}

// makeRoom has the ring of k grow for so many bytes more, unless there is no memory left and no other would still have
// as much without half of its own. While a line has its place, that is looked for once in a round of the ring,
// not with each.
func (g *keeping) makeRoom(k *kept, size int) {
	if n := len(k.ring); size <= n && (k.first+k.used)%n+size < n {
		return
	}
	for len(k.ring)-k.used < size {
		next := max(smallestRing, 2*len(k.ring))
		for next < size {
			next *= 2
		}
		if g.taken+next-len(k.ring) <= g.bound {
			g.resize(k, next)
			continue
		}
		fat := g.fattest()
		if fat == nil || fat == k || len(fat.ring) < next || len(fat.ring) == next && size <= len(k.ring) {
			return // two that took the last half from each other would copy all that they have with each line
		}
		g.halve(fat)
	}
}

func (g *keeping) fattest() (fat *kept) {
	for _, k := range g.rings {
		if fat == nil || len(k.ring) > len(fat.ring) {
			fat = k
		}
	}
	return fat
}

func (g *keeping) halve(k *kept) {
	size := len(k.ring) / 2
	if size < smallestRing {
		size = 0
	}
	g.resize(k, size)
}

func (g *keeping) resize(k *kept, size int) {
	g.taken += size - len(k.ring)
	k.resize(size)
}

// limit sets the bound.
func (g *keeping) limit(bytes int) {
	g.bound = bytes
	for g.taken > g.bound {
		g.halve(g.fattest())
	}
}

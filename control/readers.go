//go:build linux

package control

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetReaders says anew whose members may ask what only reads, see [Options]; nil: nobody's. Those who are connected
// as members of the group before are cut off. When it returns the socket is open to the new one. It is not called
// during Close or after it.
func (s *Server) SetReaders(gid *int) {
	s.setting.Lock()
	defer s.setting.Unlock()
	s.mu.Lock()
	if same(s.readers, gid) {
		s.mu.Unlock()
		return
	}
	s.readers = gid
	for _, c := range s.served {
		if c.reads {
			c.hangUp()
		}
	}
	s.mu.Unlock()
	if s.watch != nil {
		s.watch.Look()
	} else if s.at.names(s.path) {
		s.right(s.at)
	}
}

func same(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }

// right has the name of a socket have the mode and the group that are meant. A group that it cannot be given it has
// not.
func (s *Server) right(at *bound) error {
	s.mu.Lock()
	readers := s.readers
	s.mu.Unlock()
	var st unix.Stat_t
	if err := unix.Fstat(at.name, &st); err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if !same(at.readers, readers) {
		at.readers, at.refused = readers, false
	}
	mode, shared := uint32(0o600), at.readers != nil && !at.refused
	if shared {
		mode = 0o660
	}
	if shared && int(st.Gid) != *at.readers {
		// Never open to the group that it has by chance.
		err := unix.Fchmodat(unix.AT_FDCWD, descriptor(at.name), 0o600, 0)
		if err == nil {
			err = unix.Fchownat(at.name, "", -1, *at.readers, unix.AT_EMPTY_PATH)
		}
		if err == nil {
			err = unix.Fstat(at.name, &st)
		}
		if err == nil && int(st.Gid) != *at.readers {
			err = unix.EINVAL // -1 is no group
		}
		if err != nil {
			at.refused = true
			s.log.Error("the group of readers cannot have the control socket: its members cannot ask",
				"socket", s.path, "gid", *at.readers, "err", err)
			return s.right(at)
		}
	}
	if st.Mode&0o7777 == mode {
		return nil
	}
	if err := unix.Fchmodat(unix.AT_FDCWD, descriptor(at.name), mode, 0); err != nil {
		return fmt.Errorf("chmod: %w", err)
	}
	return nil
}

// admits tells whether the one who has connected may ask, and whether only what reads. Call it with mu held.
func (s *Server) admits(fd int, cred *unix.Ucred) (admitted, reads bool) {
	switch {
	case believed(int(cred.Uid)):
		return true, false
	case s.readers == nil:
		return false, false
	}
	member := int(cred.Gid) == *s.readers || slices.Contains(peerGroups(fd), uint32(*s.readers))
	return member, member
}

// forbidden says who may ask.
func (s *Server) forbidden() *Error {
	e := &Error{Code: CodeForbidden, Message: fmt.Sprintf("only root and uid %d may ask", unix.Geteuid())}
	if s.readers != nil {
		e.Message = fmt.Sprintf("only root, uid %d and gid %d may ask", unix.Geteuid(), *s.readers)
	}
	return e
}

// peerGroups returns the supplementary groups that the other side had when it connected; none before Linux 4.13.
func peerGroups(fd int) []uint32 {
	for n := 64; ; {
		gids := make([]uint32, n)
		size := uint32(n * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&gids[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return gids[:size/4]
		case errno == unix.ERANGE && int(size/4) > n:
			n = int(size / 4)
		default:
			return nil
		}
	}
}

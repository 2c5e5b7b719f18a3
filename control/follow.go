//go:build linux

package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Follow asks the daemon that listens at path, as [AskPID] does, for a [Stream], and calls each for every line of it
// until the stream is over: the result is nil then. Where lines were lost, because they came faster than each returned,
// it is called with nil and their number, which is 0 otherwise. An error of each's ends the stream, and is returned as
// it is; all others are those of [Ask]: an *[Error] with CodeStopping when the daemon ends, and with CodeAgain when it
// is being replaced, which can be followed anew. ctx bounds the whole of it, and may have no end.
func Follow(ctx context.Context, path string, pid int, method string, params any,
	each func(line json.RawMessage, lost int) error) error {
	return exchange(ctx, path, whom{pid: pid}, method, params, func(f *os.File) error { return hearStream(f, each) })
}

// givenUp is an error of the asker's own.
type givenUp struct{ error }

func hearStream(from io.Reader, each func(line json.RawMessage, lost int) error) error {
	in := bufio.NewReader(from)
	for {
		said, err := readLine(in, longestAnswer)
		if err == nil && !bytes.HasSuffix(said, []byte("\n")) {
			err = io.EOF
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("the stream broke off: %w", err)
		}
		var r struct {
			Method  *string
			Params  json.RawMessage
			refusal // or another answer
		}
		var lost struct{ Lines int }
		if err = json.Unmarshal(said, &r); err == nil && r.Method != nil && *r.Method == lostMethod {
			err = json.Unmarshal(r.Params, &lost)
		}
		switch {
		case err != nil:
			return fmt.Errorf("a line of the stream is not understood: %w", err)
		case r.Error != nil:
			return r.Error
		case r.Method == nil && len(r.ID) > 0:
			return nil
		case r.Method == nil || len(r.Params) == 0:
			return fmt.Errorf("a line of the stream is not understood: %.100q", said)
		case *r.Method == lostMethod:
			err = each(nil, lost.Lines)
		default:
			err = each(r.Params, 0)
		}
		if err != nil {
			return givenUp{err}
		}
	}
}

package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kura/journal"
)

// An export is a file of JSON lines: a header, every entry's exact line, and the checkpoint that they lead
// to. Checkpoints may stand between entries as well, where a head of that size was signed: the gateway's
// exports have them all. They say where an export was changed, to the group.
//
//	{"kura_export":1,"genesis":"kura.example/main+…+…"}
//	{"v":1,"seq":0,…}
//	{"checkpoint":"kura.example/main\n1\n…"}

// exportVersion is the number in the header.
const exportVersion = 1

type header struct {
	Version int    `json:"kura_export"`
	Genesis string `json:"genesis"`
}

type footer struct {
	Checkpoint string `json:"checkpoint"`
}

// The beginnings by which lines are told apart.
var (
	headerOpen = []byte(`{"kura_export":`)
	footerOpen = []byte(`{"checkpoint":`)
)

// maxLine bounds a line of an export.
const maxLine = journal.MaxEntrySize + 1024

// ErrExport is wrapped by every error about the form of an export.
var ErrExport = errors.New("malformed export")

// Export writes the journal up to a checkpoint. entries yields the exact bytes of the entries from 0 on;
// what comes after the checkpoint's size is not read. chain has the handovers of the log key: the head over
// each has to stand in the export, or the next key is nobody's. The entries are checked against the checkpoint
// on the way: an export that would not verify is an error, and what was written is to be thrown away.
func Export(w io.Writer, g journal.Genesis, chain journal.Chain, checkpoint journal.Checkpoint, entries iter.Seq2[[]byte, error]) error {
	keys, err := g.Keys().Learn(chain)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	head, err := keys.Open(checkpoint)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	if err := writeLine(out, header{exportVersion, g.String()}); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if head.Size > 0 {
		for line, err := range entries {
			if err == nil {
				tree.Append(journal.LeafHash(line))
				_, err = out.Write(append(line[:len(line):len(line)], '\n'))
			}
			if size := tree.Head().Size; err == nil && len(chain) > 0 && size == chain[0].Index+1 && size < head.Size {
				err = writeLine(out, footer{string(chain[0].Checkpoint)})
				chain = chain[1:]
			}
			if err != nil {
				return fmt.Errorf("export entry %d: %w", tree.Head().Size, err)
			}
			if tree.Head().Size == head.Size {
				break
			}
		}
	}
	if tree.Head() != head {
		return fmt.Errorf("export: %d entries lead to root %s, the checkpoint is of size %d and root %s", tree.Head().Size, tree.Head().Root, head.Size, head.Root)
	}
	if err := writeLine(out, footer{string(checkpoint)}); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

func writeLine(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// A reader takes an export apart, line by line.
type reader struct {
	in *bufio.Reader
}

// An item is one line after the header: an entry's exact bytes, or a checkpoint.
type item struct {
	entry      []byte
	checkpoint journal.Checkpoint
}

// newReader reads the header and returns the genesis that it names.
func newReader(r io.Reader) (*reader, journal.Genesis, error) {
	in := &reader{bufio.NewReaderSize(r, 1<<16)}
	line, err := in.line()
	if err != nil {
		return nil, journal.Genesis{}, fmt.Errorf("%w: header: %w", ErrExport, err)
	}
	var h header
	if err := unmarshal(line, &h); err != nil || !bytes.HasPrefix(line, headerOpen) || h.Version != exportVersion {
		return nil, journal.Genesis{}, fmt.Errorf("%w: the first line is not %s1,…}", ErrExport, headerOpen)
	}
	g, err := journal.ParseGenesis(h.Genesis)
	if err != nil {
		return nil, journal.Genesis{}, fmt.Errorf("%w: header: %w", ErrExport, err)
	}
	return in, g, nil
}

// next returns the next item, io.EOF after the last. The bytes are the caller's.
func (r *reader) next() (item, error) {
	line, err := r.line()
	if err != nil {
		return item{}, err
	}
	if !bytes.HasPrefix(line, footerOpen) {
		return item{entry: line}, nil
	}
	var f footer
	if err := unmarshal(line, &f); err != nil {
		return item{}, fmt.Errorf("%w: checkpoint: %w", ErrExport, err)
	}
	return item{checkpoint: journal.Checkpoint(f.Checkpoint)}, nil
}

// line reads one line without its newline. A last line without one is cut off, and refused.
func (r *reader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			return nil, fmt.Errorf("%w: a line is longer than %d bytes", ErrExport, maxLine)
		}
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: the last line is cut off", ErrExport)
		case err != nil:
			return nil, err
		}
		return line[:len(line)-1], nil
	}
}

func unmarshal(text []byte, into any) error {
	return json.Unmarshal(text, into, json.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(false))
}

package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"

	"kura/journal"
)

// An export is a file of JSON lines: a header, every entry's exact line, after each group the head that was signed over
// it, and last the checkpoint over all. A reader needs no head but that one and those over handovers of the log key;
// the others say where an export was changed, to the group.
//
//	{"kura_export":1,"genesis":"kura.example/main+…+…"}
//	{"v":1,"seq":0,…}
//	{"checkpoint":"kura.example/main\n1\n…"}

// maxLine bounds a line of an export.
const maxLine = journal.MaxEntrySize + 1024

// ErrExport is wrapped by every error about the form of an export.
var ErrExport = errors.New("malformed export")

// Export writes the journal as a store yields it: after each group of entries the head that was signed over it, up to
// the last of heads. What comes after that is not read. Every head is opened and the entries are checked against it on
// the way: an export that would not verify is an error, and what was written is to be thrown away.
func Export(w io.Writer, g journal.Genesis, heads iter.Seq2[journal.StoredHead, error], entries iter.Seq2[journal.StoredEntry, error]) error {
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	next, stop := iter.Pull2(entries)
	defer stop()
	x := exporter{out: bufio.NewWriterSize(w, 1<<16), tree: tree, keys: g.Keys(), next: next}
	if err := journal.WriteExportBegin(x.out, g.String()); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for head, err := range heads {
		if err == nil {
			err = x.group(head.Checkpoint)
		}
		if err != nil {
			return fmt.Errorf("export after %d entries: %w", tree.Head().Size, err)
		}
	}
	if tree.Head().Size == 0 {
		return errors.New("export: the journal has no signed head")
	}
	if err := x.out.Flush(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// An exporter is what was written so far.
type exporter struct {
	out  *bufio.Writer
	tree *journal.Tree
	keys journal.LogKeys // by the entries so far
	next func() (journal.StoredEntry, error, bool)
}

// group writes the entries up to a head, and the head.
func (x *exporter) group(checkpoint journal.Checkpoint) error {
	said, err := journal.PeekCheckpoint(x.keys.Genesis().Origin, checkpoint)
	if err != nil {
		return err
	}
	for x.tree.Head().Size < said.Size {
		if err := x.entry(); err != nil {
			return err
		}
	}
	head, err := x.keys.Open(checkpoint)
	if err != nil {
		return err
	}
	if at := x.tree.Head(); at != head {
		return fmt.Errorf("the entries lead to root %s, the head of size %d has root %s", at.Root, head.Size, head.Root)
	}
	return journal.WriteExportHead(x.out, checkpoint)
}

// entry writes the next entry.
func (x *exporter) entry() error {
	row, err, ok := x.next()
	if err == nil && !ok {
		err = errors.New("there are no more entries")
	}
	if err != nil {
		return err
	}
	e, err := journal.DecodeEntry(row.Bytes)
	if err != nil {
		return err
	}
	if x.keys, err = x.keys.After(e); err != nil {
		return err
	}
	x.tree.Append(journal.LeafHash(row.Bytes))
	_, err = fmt.Fprintf(x.out, "%s\n", row.Bytes)
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
	g, err := journal.ParseExportBegin(line)
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
	checkpoint, err := journal.ParseExportHead(line)
	if err != nil {
		return item{}, fmt.Errorf("%w: %w", ErrExport, err)
	}
	if checkpoint == nil {
		return item{entry: line}, nil
	}
	return item{checkpoint: checkpoint}, nil
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

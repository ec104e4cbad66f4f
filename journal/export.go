package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// An export is a file of JSON lines (docs/journal.md, "Exports"): one that begins it, every entry's exact line, and
// after each group the signed head over it. Package audit and the gateway write them, package audit and the gateway's
// client read them; the lines that are no entries are made and read here.

// exportVersion is the number in an export's first line.
const exportVersion = 1

type exportBegin struct {
	Version int    `json:"kura_export"`
	Genesis string `json:"genesis"`
}

type exportHead struct {
	Checkpoint string `json:"checkpoint"`
}

// The beginnings by which lines are told apart: no entry has them.
var (
	exportBeginOpen = []byte(`{"kura_export":`)
	exportHeadOpen  = []byte(`{"checkpoint":`)
)

// WriteExportBegin writes the first line of an export, which names the journal by its genesis line.
func WriteExportBegin(w io.Writer, genesisLine string) error {
	return writeExportLine(w, exportBegin{exportVersion, genesisLine})
}

// WriteExportHead writes the line of an export that holds a signed head.
func WriteExportHead(w io.Writer, c Checkpoint) error {
	return writeExportLine(w, exportHead{string(c)})
}

func writeExportLine(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write a line of an export: %w", err)
	}
	return nil
}

// ParseExportBegin reads the first line of an export, without its newline, and returns the journal that it names.
func ParseExportBegin(line []byte) (Genesis, error) {
	var b exportBegin
	if err := parseExportLine(line, &b); err != nil || !bytes.HasPrefix(line, exportBeginOpen) || b.Version != exportVersion {
		return Genesis{}, errors.New(`an export does not begin like this: want {"kura_export":1,"genesis":…}`)
	}
	return ParseGenesis(b.Genesis)
}

// ParseExportHead reads a line of an export, without its newline. It is nil for a line without a head, which is an
// entry's; the signature is not judged.
func ParseExportHead(line []byte) (Checkpoint, error) {
	if !bytes.HasPrefix(line, exportHeadOpen) {
		return nil, nil
	}
	var h exportHead
	if err := parseExportLine(line, &h); err != nil {
		return nil, fmt.Errorf("a signed head in an export: %w", err)
	}
	return Checkpoint(h.Checkpoint), nil
}

func parseExportLine(line []byte, into any) error {
	return json.Unmarshal(line, into, json.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(false))
}

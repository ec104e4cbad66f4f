package audit

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"kura/journal"
	"kura/ledger"
)

//go:embed page.html
var pageText string

// The page is static: no script, no request to anywhere, and a policy that forbids both.
var page = template.Must(template.New("page").Parse(pageText))

// WritePage verifies an export and writes what happened in it as one static HTML page for people: what was
// paid and by whom approved, what was denied, stopped and changed. Of an export that does not verify the
// page shows what was wrong and nothing else. Lists hold at most a few thousand rows and say what they leave
// out; memory is that of the ledger's state and of one small record for each payment.
func WritePage(ctx context.Context, w io.Writer, r io.Reader, o Options) (Report, error) {
	h := newHistory()
	var last func()
	visit := o.Visit
	o.Visit = func(e journal.Entry, body ledger.Body, s *ledger.State) {
		h.visit(e, body, s)
		last = func() { h.finish(s) }
		if visit != nil {
			visit(e, body, s)
		}
	}
	report, err := Verify(ctx, r, o)
	if err != nil {
		return Report{}, err
	}
	if last != nil {
		last()
	}
	if !report.OK {
		h = newHistory()
	}
	data := struct {
		Report  Report
		History *history
	}{report, h}
	if err := page.Execute(w, data); err != nil {
		return report, fmt.Errorf("write the page: %w", err)
	}
	return report, nil
}

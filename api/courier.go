package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/signer/rpc"
)

// A Courier carries heads from a signer, which has no network, to one of its witnesses (C2SP tlog-witness), and the
// witness's signature lines back. It believes neither: the signer verifies every line under keys of its own.
type Courier struct {
	Name   string // of the witness, as it signs
	URL    string // of its tlog-witness interface, without the method's name
	Signer rpc.Witnessed
	Client *http.Client // its timeout bounds one request; redirects should not be followed
	Log    *slog.Logger
}

const (
	courierWait  = time.Minute // one call of the signer's long poll
	courierPause = time.Second // after a failure, doubled up to
	courierRest  = 15 * time.Second

	// maxCosignature bounds a witness's answer, in bytes.
	maxCosignature = journal.MaxCheckpoint
	// maxHandovers bounds what it shows of the log key's handovers, in bytes: hundreds of them.
	maxHandovers = 1 << 20
)

// Run carries until ctx ends.
func (c *Courier) Run(ctx context.Context) {
	var query rpc.WitnessQuery
	query.Witness = c.Name
	pause := courierPause
	for ctx.Err() == nil {
		size, err := c.once(ctx, query)
		if err == nil {
			if query.Trouble != "" {
				c.Log.Info("witness answers again", "witness", c.Name)
			}
			query.Size, query.Trouble, pause = size, "", courierPause
			continue
		}
		if ctx.Err() != nil {
			return
		}
		// A query that did not reach the signer keeps the trouble for the next one.
		// It has a witness's own words in it, and no query takes text that is no UTF-8.
		if trouble := strings.ToValidUTF8(err.Error(), "\ufffd"); trouble != query.Trouble {
			c.Log.Warn("witness not asked", "witness", c.Name, "reason", trouble)
			query.Trouble = trouble
		}
		query.Size = size
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, courierRest)
	}
}

// once does one thing that the signer wants of the witness, and returns the size that the witness is known to have
// cosigned last.
func (c *Courier) once(ctx context.Context, query rpc.WitnessQuery) (size uint64, err error) {
	call, cancel := context.WithTimeout(ctx, 2*courierWait)
	defer cancel()
	task, err := c.Signer.WitnessNext(call, query, courierWait.Milliseconds())
	switch {
	case err != nil:
		return query.Size, fmt.Errorf("ask the signer: %w", err)
	case task.Ask == rpc.WitnessAdd:
		return c.add(ctx, task)
	case task.Ask == rpc.WitnessShow:
		return c.show(ctx, query.Size)
	}
	return query.Size, nil
}

// add has a head cosigned, after the handover that the witness has to know of for it. Whatever it answers to that, the
// head is sent: a witness that is none of Kura's may refuse what it does not know in any way, and was told of the log
// key by whoever runs it.
func (c *Courier) add(ctx context.Context, task rpc.WitnessTask) (size uint64, err error) {
	var refused error
	if task.Handover != nil {
		refused = c.addHandover(ctx, task.Handover)
	}
	size, err = c.addHead(ctx, task)
	if err != nil {
		err = errors.Join(refused, err)
	}
	return size, err
}

// addHead has a head cosigned. A witness that has cosigned something else already is asked to show it: its own signature
// tells the signer more than its refusal.
func (c *Courier) addHead(ctx context.Context, task rpc.WitnessTask) (size uint64, err error) {
	status, answer, err := c.do(ctx, http.MethodPost, "/add-checkpoint", addCheckpoint(task), maxCosignature)
	if err != nil {
		return task.Old, err
	}
	switch status {
	case http.StatusOK:
		note := append(bytes.Clone(task.Checkpoint), answer...)
		if err := c.Signer.WitnessCosigned(ctx, c.Name, note, nil); err != nil {
			return task.Old, fmt.Errorf("hand over the cosignature: %w", err)
		}
		return task.Size, nil
	case http.StatusConflict:
		has, err := strconv.ParseUint(strings.TrimSuffix(string(answer), "\n"), 10, 64)
		if err != nil {
			return task.Old, fmt.Errorf("the witness answers 409 without a size: %.100q", answer)
		}
		if has <= task.Newest && has != task.Old {
			return has, nil // asked again with a proof from there
		}
		shown, err := c.show(ctx, has)
		return shown, errors.Join(fmt.Errorf("the witness has cosigned size %d and not the head of size %d", has, task.Size), err)
	case http.StatusUnprocessableEntity:
		shown, err := c.show(ctx, task.Old)
		return shown, errors.Join(fmt.Errorf("the witness finds that the head of size %d does not extend what it cosigned: %s", task.Size, words(answer)), err)
	default:
		return task.Old, fmt.Errorf("the witness answers %d: %s", status, words(answer))
	}
}

// words is what a witness says of a refusal, cut short. It is foreign text: the signer quotes it before people read it.
func words(answer []byte) string { return strings.TrimSpace(string(answer[:min(len(answer), 200)])) }

// addHandover tells the witness which log key the next head is signed by.
func (c *Courier) addHandover(ctx context.Context, h *rpc.Handover) error {
	body, err := json.Marshal(h)
	if err != nil {
		return err
	}
	status, answer, err := c.do(ctx, http.MethodPost, "/add-handover", body, maxCosignature)
	if err != nil || status == http.StatusOK {
		return err
	}
	return fmt.Errorf("the witness answers %d to the handover of the log key in entry %d: %s", status, h.Index, words(answer))
}

// addCheckpoint is the request of tlog-witness.
func addCheckpoint(task rpc.WitnessTask) []byte {
	body := fmt.Appendf(nil, "old %d\n", task.Old)
	for _, hash := range task.Proof {
		body = append(base64.StdEncoding.AppendEncode(body, hash), '\n')
	}
	return append(append(body, '\n'), task.Checkpoint...)
}

// show takes the newest head that the witness cosigned to the signer, and returns its size; 0 if it shows none, as not
// every witness does. What was known of it before counts only where it does not answer: a witness that once claimed
// more than the journal has, and has not, would else never be asked to cosign again.
func (c *Courier) show(ctx context.Context, known uint64) (size uint64, err error) {
	status, answer, err := c.do(ctx, http.MethodGet, "/checkpoint", nil, maxCosignature)
	switch {
	case err != nil:
		return known, err
	case status == http.StatusNotFound:
		return 0, nil // it has cosigned nothing yet, or shows nothing
	case status != http.StatusOK:
		return known, fmt.Errorf("the witness answers %d: %s", status, words(answer))
	}
	handovers, err := c.shownHandovers(ctx)
	if err != nil {
		return known, err
	}
	if err := c.Signer.WitnessCosigned(ctx, c.Name, answer, handovers); err != nil {
		return known, fmt.Errorf("hand over what the witness shows: %w", err)
	}
	if size, err = checkpointSize(answer); err != nil {
		return known, err
	}
	return size, nil
}

// shownHandovers are those of the log key that the witness knows of: none, if it does not show them.
func (c *Courier) shownHandovers(ctx context.Context) (handovers []rpc.Handover, err error) {
	status, answer, err := c.do(ctx, http.MethodGet, "/handovers", nil, maxHandovers)
	if err != nil || status != http.StatusOK {
		return nil, err
	}
	if err := json.Unmarshal(answer, &handovers, json.RejectUnknownMembers(true)); err != nil {
		c.Log.Warn("what the witness shows of the log key's handovers does not decode", "witness", c.Name, "reason", err)
		return nil, nil // its head may be told all the same
	}
	return handovers, nil
}

// do sends one request and reads at most limit bytes of the answer.
func (c *Courier) do(ctx context.Context, method, path string, body []byte, limit int64) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	resp, err := c.Client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(answer)) > limit {
		err = fmt.Errorf("the witness answers with more than %d bytes", limit)
	}
	return resp.StatusCode, answer, err
}

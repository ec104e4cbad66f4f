package witness

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/statement"
)

// maxRequest bounds an add-checkpoint request: 63 proof lines and a checkpoint.
const maxRequest = 8<<10 + journal.MaxCheckpoint

// maxHandover bounds an add-handover request: an entry with two keys, a proof and a checkpoint.
const maxHandover = 16<<10 + 2*journal.MaxCheckpoint

// Stoppers are the keys whose freeze of everything stops the witness, too.
type Stoppers map[statement.Key]string // key → the person's name

// Handler serves C2SP tlog-witness:
//
//	POST /add-checkpoint   old size, proof, checkpoint → signature line
//	POST /add-handover     the receipt of an entry by which the log key hands over, under the head cosigned last
//	GET  /handovers        a list of all such receipts
//	GET  /checkpoint       the last head cosigned, with its signatures
//	POST /freeze           an envelope of a freeze/1 about everything, by one of the stoppers: stops cosigning
//
// relay, if not nil, is handed the bytes of an accepted freeze in a goroutine of its own, to take them to
// the gateway by a way of its own; the same freeze only once at a time, however often somebody repeats it.
func (w *Witness) Handler(stoppers Stoppers, relay func(envelope []byte), log *slog.Logger) http.Handler {
	s := &server{witness: w, stoppers: stoppers, relay: relay, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", s.addCheckpoint)
	mux.HandleFunc("POST /add-handover", s.addHandover)
	mux.HandleFunc("GET /handovers", s.handovers)
	mux.HandleFunc("GET /checkpoint", s.checkpoint)
	mux.HandleFunc("POST /freeze", s.freeze)
	return mux
}

type server struct {
	witness  *Witness
	stoppers Stoppers
	relay    func([]byte)
	relaying sync.Map // the ids of freezes that are being relayed
	log      *slog.Logger
}

func (s *server) addCheckpoint(rw http.ResponseWriter, r *http.Request) {
	old, proof, checkpoint, err := readAddCheckpoint(http.MaxBytesReader(rw, r.Body, maxRequest))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	if origin, _, _ := strings.Cut(string(checkpoint), "\n"); origin != s.witness.genesis.Origin {
		http.Error(rw, ErrUnknownLog.Error(), http.StatusNotFound)
		return
	}
	line, err := s.witness.AddCheckpoint(r.Context(), old, proof, checkpoint)
	if err != nil {
		s.refuse(rw, "checkpoint refused", err)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(rw, line) // the peer that went away asks again
}

// refuse answers with the status that tlog-witness gives to an error.
func (s *server) refuse(rw http.ResponseWriter, what string, err error) {
	if conflict, ok := errors.AsType[*Conflict](err); ok {
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", conflict.Size)
		return
	}
	status := statusOf(err)
	s.log.Warn(what, "status", status, "reason", err)
	http.Error(rw, err.Error(), status)
}

func (s *server) addHandover(rw http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxHandover))
	if err != nil {
		http.Error(rw, "read the handover: "+err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	var receipt journal.Receipt
	if err := json.Unmarshal(raw, &receipt); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.witness.AddHandover(receipt); err != nil {
		s.refuse(rw, "handover refused", err)
		return
	}
	s.log.Info("the log key hands over", "entry", receipt.Index)
	fmt.Fprintf(rw, "heads above size %d are the next log key's\n", receipt.Index+1)
}

func (s *server) handovers(rw http.ResponseWriter, _ *http.Request) {
	text, err := json.Marshal(s.witness.Handovers())
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write(text) // the peer that went away asks again
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrSignature), errors.Is(err, ErrStopped):
		return http.StatusForbidden
	case errors.Is(err, ErrOldSize):
		return http.StatusBadRequest
	case errors.Is(err, ErrProof):
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}

// readAddCheckpoint reads a request of tlog-witness: "old SIZE", proof hashes in
// base64, a line each, an empty line, the checkpoint.
func readAddCheckpoint(body io.Reader) (old uint64, proof []journal.Hash, checkpoint journal.Checkpoint, err error) {
	r := bufio.NewReader(body)
	line := func() (string, error) {
		text, err := r.ReadString('\n')
		if err != nil {
			return "", errors.New("the request ends before its checkpoint")
		}
		return strings.TrimSuffix(text, "\n"), nil
	}
	first, err := line()
	if err != nil {
		return 0, nil, nil, err
	}
	digits, ok := strings.CutPrefix(first, "old ")
	if old, err = strconv.ParseUint(digits, 10, 63); !ok || err != nil || strconv.FormatUint(old, 10) != digits {
		return 0, nil, nil, fmt.Errorf("first line is %.40q, want \"old\" and a size", first)
	}
	for {
		text, err := line()
		if err != nil {
			return 0, nil, nil, err
		}
		if text == "" {
			break
		}
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != len(journal.Hash{}) {
			return 0, nil, nil, fmt.Errorf("proof line %d is not the base64 of 32 bytes", len(proof)+1)
		}
		if len(proof) == 63 {
			return 0, nil, nil, errors.New("the proof has more than 63 lines")
		}
		proof = append(proof, journal.Hash(raw))
	}
	checkpoint, err = io.ReadAll(r)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("read the checkpoint: %w", err)
	}
	return old, proof, checkpoint, nil
}

func (s *server) checkpoint(rw http.ResponseWriter, _ *http.Request) {
	newest := s.witness.Newest()
	if newest == nil {
		http.Error(rw, "nothing cosigned yet", http.StatusNotFound)
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = rw.Write(newest) // as above
}

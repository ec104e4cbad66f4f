package rpc

import "context"

// Witnessed is what the signer, which has no network, has the gateway carry to its witnesses and back. The gateway is
// not believed: what it brings back counts only with the witness's own signature.
type Witnessed interface {
	// WitnessNext says what one witness is to be asked now. It waits for that, at most waitMillis.
	WitnessNext(ctx context.Context, q WitnessQuery, waitMillis int64) (WitnessTask, error)
	// WitnessCosigned takes a checkpoint with the witness's signature line, fresh or as the witness keeps it, and the
	// handovers of the log key that the witness knows of, as far as it shows them.
	WitnessCosigned(ctx context.Context, witness string, note []byte, handovers []Handover) error
}

// A WitnessQuery says how far the gateway has come with one witness.
type WitnessQuery struct {
	Witness string `json:"witness"` // its name
	Size    uint64 `json:"size"`    // that it cosigned last, as it says; 0 at first
	Trouble string `json:"trouble"` // why the last attempt failed, for people; "" if it did not
}

// A WitnessTask is one thing to ask of a witness.
type WitnessTask struct {
	// Ask is WitnessAdd, WitnessShow, or "" if there is nothing to ask yet.
	Ask        string   `json:"ask"`
	Old        uint64   `json:"old"`        // of an add: the size from which the proof leads, that of the query
	Proof      [][]byte `json:"proof"`      // hashes of 32 bytes
	Checkpoint []byte   `json:"checkpoint"` // to be cosigned, a signed note
	Size       uint64   `json:"size"`       // of the checkpoint
	// Handover is to be added first, if the witness takes such things: the head that it cosigned last hands the log
	// key over, and the checkpoint is the next key's. nil: nothing is.
	Handover *Handover `json:"handover"`
	Newest   uint64    `json:"newest"` // size of the newest head, of which the checkpoint may be a stage
}

// What a witness can be asked.
const (
	WitnessAdd  = "add"  // add-checkpoint of C2SP tlog-witness
	WitnessShow = "show" // the checkpoint that it cosigned last
)

type (
	witnessNextParams struct {
		Query      WitnessQuery
		WaitMillis int64
	}
	witnessCosignedParams struct {
		Witness   string
		Handovers []Handover
	}
	noResult struct{}
)

// WitnessMethods are further methods of the gateway's socket.
func WitnessMethods(w Witnessed) Methods {
	return Methods{
		"witness.next": handle(func(ctx context.Context, _ Caller, p witnessNextParams) (WitnessTask, error) {
			return w.WitnessNext(ctx, p.Query, p.WaitMillis)
		}),
		"witness.cosigned": handleAttached(func(ctx context.Context, _ Caller, p witnessCosignedParams, note []byte) (noResult, error) {
			return noResult{}, w.WitnessCosigned(ctx, p.Witness, note, p.Handovers)
		}),
	}
}

var _ Witnessed = GatewayClient{}

func (c GatewayClient) WitnessNext(ctx context.Context, q WitnessQuery, waitMillis int64) (WitnessTask, error) {
	return ask[WitnessTask](ctx, c.Client, "witness.next", witnessNextParams{q, waitMillis}, nil)
}

func (c GatewayClient) WitnessCosigned(ctx context.Context, witness string, note []byte, handovers []Handover) error {
	_, err := ask[noResult](ctx, c.Client, "witness.cosigned", witnessCosignedParams{witness, handovers}, note)
	return err
}

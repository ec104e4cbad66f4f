package rpc

import "context"

// Gateway is what the signer does for the gateway. A bearer is the SHA-256 of a session's secret in 64 lower-case hex
// digits: the secret itself does not cross the socket. Errors are *Problem, or unforeseen.
type Gateway interface {
	// Submit judges a signed statement and answers when its outcome is durable. An authorised withdrawal is waited
	// for until it is signed, but at most waitMillis; then its state is authorized.
	Submit(ctx context.Context, envelope []byte, waitMillis int64) (Answer, error)
	// OpenSession takes a login.
	OpenSession(ctx context.Context, envelope []byte) (Session, error)
	// Withdrawal returns the state of a withdrawal, after a change of it or waitMillis if it is not final.
	Withdrawal(ctx context.Context, bearer, id string, waitMillis int64) (Answer, error)
	Wallets(ctx context.Context, bearer string) ([]Wallet, error)
	Limits(ctx context.Context, bearer string) ([]Limit, error)
	// Reader names whose session it is, if that party may read entries.
	Reader(ctx context.Context, bearer string) (Actor, error)
	// Entries returns at most 1000 entries from `from` to `to` (exclusive).
	Entries(ctx context.Context, bearer string, from, to uint64) (Entries, error)
	// Follow waits until the journal is longer than size, or waitMillis, and returns the newest checkpoint.
	Follow(ctx context.Context, size uint64, waitMillis int64) (Checkpoint, error)
	Receipt(ctx context.Context, bearer string, seq uint64) (Receipt, error)
	Checkpoint(ctx context.Context) (Checkpoint, error)
	// LogKeys proves every handover of the log key below the newest checkpoint.
	LogKeys(ctx context.Context) (LogKeys, error)
	// Tile returns the hashes of a C2SP tlog-tiles tile: width hashes from index·256 on, of the given level.
	Tile(ctx context.Context, level int, index uint64, width int) ([]byte, error)
	// EntryBundle returns the entries of a C2SP tlog-tiles tile, each preceded by its length in two bytes, to whom
	// Entries shows them.
	EntryBundle(ctx context.Context, bearer string, index uint64, width int) ([]byte, error)
	Consistency(ctx context.Context, old, newer uint64) (Consistency, error)
	Gaps(ctx context.Context) (Gaps, error)
	Ready(ctx context.Context) (Ready, error)
	Metrics(ctx context.Context) (Metrics, error)
}

// Parameters of the methods that have any. Envelopes travel as the attachment.
type (
	submitParams     struct{ WaitMillis int64 }
	noParams         struct{}
	withdrawalParams struct {
		Bearer, ID string
		WaitMillis int64
	}
	bearerParams  struct{ Bearer string }
	entriesParams struct {
		Bearer   string
		From, To uint64
	}
	followParams struct {
		Size       uint64
		WaitMillis int64
	}
	receiptParams struct {
		Bearer string
		Seq    uint64
	}
	tileParams struct {
		Level int
		Index uint64
		Width int
	}
	tileResult   struct{ Hashes []byte }
	bundleParams struct {
		Bearer string
		Index  uint64
		Width  int
	}
	bundleResult      struct{ Entries []byte }
	consistencyParams struct{ Old, Newer uint64 }
)

// GatewayMethods are the methods of the gateway's socket.
func GatewayMethods(g Gateway) Methods {
	return Methods{
		"submit": handleAttached(func(ctx context.Context, _ Caller, p submitParams, envelope []byte) (Answer, error) {
			return g.Submit(ctx, envelope, p.WaitMillis)
		}),
		"session": handleAttached(func(ctx context.Context, _ Caller, _ noParams, envelope []byte) (Session, error) {
			return g.OpenSession(ctx, envelope)
		}),
		"withdrawal": handle(func(ctx context.Context, _ Caller, p withdrawalParams) (Answer, error) {
			return g.Withdrawal(ctx, p.Bearer, p.ID, p.WaitMillis)
		}),
		"wallets": handle(func(ctx context.Context, _ Caller, p bearerParams) ([]Wallet, error) {
			return g.Wallets(ctx, p.Bearer)
		}),
		"limits": handle(func(ctx context.Context, _ Caller, p bearerParams) ([]Limit, error) {
			return g.Limits(ctx, p.Bearer)
		}),
		"reader": handle(func(ctx context.Context, _ Caller, p bearerParams) (Actor, error) {
			return g.Reader(ctx, p.Bearer)
		}),
		"entries": handle(func(ctx context.Context, _ Caller, p entriesParams) (Entries, error) {
			return g.Entries(ctx, p.Bearer, p.From, p.To)
		}),
		"follow": handle(func(ctx context.Context, _ Caller, p followParams) (Checkpoint, error) {
			return g.Follow(ctx, p.Size, p.WaitMillis)
		}),
		"receipt": handle(func(ctx context.Context, _ Caller, p receiptParams) (Receipt, error) {
			return g.Receipt(ctx, p.Bearer, p.Seq)
		}),
		"checkpoint": handle(func(ctx context.Context, _ Caller, _ noParams) (Checkpoint, error) {
			return g.Checkpoint(ctx)
		}),
		"log.keys": handle(func(ctx context.Context, _ Caller, _ noParams) (LogKeys, error) {
			return g.LogKeys(ctx)
		}),
		"tile": handle(func(ctx context.Context, _ Caller, p tileParams) (tileResult, error) {
			hashes, err := g.Tile(ctx, p.Level, p.Index, p.Width)
			return tileResult{hashes}, err
		}),
		"bundle": handle(func(ctx context.Context, _ Caller, p bundleParams) (bundleResult, error) {
			entries, err := g.EntryBundle(ctx, p.Bearer, p.Index, p.Width)
			return bundleResult{entries}, err
		}),
		"consistency": handle(func(ctx context.Context, _ Caller, p consistencyParams) (Consistency, error) {
			return g.Consistency(ctx, p.Old, p.Newer)
		}),
		"gaps": handle(func(ctx context.Context, _ Caller, _ noParams) (Gaps, error) {
			return g.Gaps(ctx)
		}),
		"ready": handle(func(ctx context.Context, _ Caller, _ noParams) (Ready, error) {
			return g.Ready(ctx)
		}),
		"metrics": handle(func(ctx context.Context, _ Caller, _ noParams) (Metrics, error) {
			return g.Metrics(ctx)
		}),
	}
}

// GatewayClient is the gateway's end: a Gateway that asks over a Client. Its errors are *Problem.
type GatewayClient struct{ *Client }

var _ Gateway = GatewayClient{}

func (c GatewayClient) Submit(ctx context.Context, envelope []byte, waitMillis int64) (Answer, error) {
	return ask[Answer](ctx, c.Client, "submit", submitParams{waitMillis}, envelope)
}

func (c GatewayClient) OpenSession(ctx context.Context, envelope []byte) (Session, error) {
	return ask[Session](ctx, c.Client, "session", noParams{}, envelope)
}

func (c GatewayClient) Withdrawal(ctx context.Context, bearer, id string, waitMillis int64) (Answer, error) {
	return ask[Answer](ctx, c.Client, "withdrawal", withdrawalParams{bearer, id, waitMillis}, nil)
}

func (c GatewayClient) Wallets(ctx context.Context, bearer string) ([]Wallet, error) {
	return ask[[]Wallet](ctx, c.Client, "wallets", bearerParams{bearer}, nil)
}

func (c GatewayClient) Limits(ctx context.Context, bearer string) ([]Limit, error) {
	return ask[[]Limit](ctx, c.Client, "limits", bearerParams{bearer}, nil)
}

func (c GatewayClient) Reader(ctx context.Context, bearer string) (Actor, error) {
	return ask[Actor](ctx, c.Client, "reader", bearerParams{bearer}, nil)
}

func (c GatewayClient) Entries(ctx context.Context, bearer string, from, to uint64) (Entries, error) {
	return ask[Entries](ctx, c.Client, "entries", entriesParams{bearer, from, to}, nil)
}

func (c GatewayClient) Follow(ctx context.Context, size uint64, waitMillis int64) (Checkpoint, error) {
	return ask[Checkpoint](ctx, c.Client, "follow", followParams{size, waitMillis}, nil)
}

func (c GatewayClient) Receipt(ctx context.Context, bearer string, seq uint64) (Receipt, error) {
	return ask[Receipt](ctx, c.Client, "receipt", receiptParams{bearer, seq}, nil)
}

func (c GatewayClient) Checkpoint(ctx context.Context) (Checkpoint, error) {
	return ask[Checkpoint](ctx, c.Client, "checkpoint", noParams{}, nil)
}

func (c GatewayClient) LogKeys(ctx context.Context) (LogKeys, error) {
	return ask[LogKeys](ctx, c.Client, "log.keys", noParams{}, nil)
}

func (c GatewayClient) Tile(ctx context.Context, level int, index uint64, width int) ([]byte, error) {
	r, err := ask[tileResult](ctx, c.Client, "tile", tileParams{level, index, width}, nil)
	return r.Hashes, err
}

func (c GatewayClient) EntryBundle(ctx context.Context, bearer string, index uint64, width int) ([]byte, error) {
	r, err := ask[bundleResult](ctx, c.Client, "bundle", bundleParams{bearer, index, width}, nil)
	return r.Entries, err
}

func (c GatewayClient) Consistency(ctx context.Context, old, newer uint64) (Consistency, error) {
	return ask[Consistency](ctx, c.Client, "consistency", consistencyParams{old, newer}, nil)
}

func (c GatewayClient) Gaps(ctx context.Context) (Gaps, error) {
	return ask[Gaps](ctx, c.Client, "gaps", noParams{}, nil)
}

func (c GatewayClient) Ready(ctx context.Context) (Ready, error) {
	return ask[Ready](ctx, c.Client, "ready", noParams{}, nil)
}

func (c GatewayClient) Metrics(ctx context.Context) (Metrics, error) {
	return ask[Metrics](ctx, c.Client, "metrics", noParams{}, nil)
}

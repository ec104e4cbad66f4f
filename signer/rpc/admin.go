package rpc

import "context"

// Admin is what the signer does for the administrator of its host, over the second socket. Nothing in it can
// release a payment: it adds keys that no policy names yet, and denies.
type Admin interface {
	// CreateWallet makes a key and journals its ceremony.
	CreateWallet(ctx context.Context, by Caller, w NewWallet) (Ceremony, error)
	// ImportWallet takes the key of an account that exists. keyText is the private key in a form that the chain's
	// tools print; it is wiped before ImportWallet returns.
	ImportWallet(ctx context.Context, by Caller, w NewWallet, expectedAddress string, keyText []byte) (Ceremony, error)
	ListWallets(ctx context.Context) ([]Wallet, error)
	// SetWalletState moves a wallet to suspended, retired or compromised, never back to active.
	SetWalletState(ctx context.Context, by Caller, id, state, reason string) (Recorded, error)
	// FreezeHost stops every signature of this signer, with an entry in the journal.
	FreezeHost(ctx context.Context, by Caller, reason string) (Recorded, error)
	// RotateLogKey takes a step of changing the log key, as far as it can be taken now.
	RotateLogKey(ctx context.Context, by Caller, step LogKeyStep) (LogKeyRotation, error)
	Ready(ctx context.Context) (Ready, error)
}

// A LogKeyStep is what is to be done of a change of the log key.
type LogKeyStep string

// Steps of changing the log key.
const (
	LogKeyBegin      LogKeyStep = "begin"       // make the next key, if there is none, and go on
	LogKeyGoOn       LogKeyStep = "go_on"       // hand over to the key that was made, once the directors permit it
	LogKeyDestroyOld LogKeyStep = "destroy_old" // destroy the key that was handed over from, once the new one stands everywhere
)

// LogKeyRotation is how far a change of the log key has come. Keys are standard base64 of their 32 bytes.
type LogKeyRotation struct {
	State     string   `json:"state"`
	Current   string   `json:"current"`             // signs the next head
	Next      string   `json:"next,omitempty"`      // waits in the token
	From      int64    `json:"from,omitempty"`      // the time-lock of the proposal ends then, unix milliseconds
	Seq       uint64   `json:"seq,omitempty"`       // entry of the handover
	Waits     string   `json:"waits,omitempty"`     // what it was not done for, in words
	Destroyed []string `json:"destroyed,omitempty"` // old keys that are gone from the token now
}

// States of a LogKeyRotation.
const (
	LogKeyNone    = "none"    // no change is under way
	LogKeyWaits   = "waits"   // the next key is in the token, and no proposal permits it now
	LogKeyChanged = "changed" // the journal goes on with the next key; the old one is still in the token
	LogKeyDone    = "done"    // and the old one is destroyed
)

// NewWallet names a wallet to be made.
type NewWallet struct {
	ID      string   `json:"id"`
	Network string   `json:"network"`
	Present []string `json:"present"` // who is there, for the record
}

// Ceremony is the record of how a wallet came to be, as journalled.
type Ceremony struct {
	Wallet Wallet `json:"wallet"`
	Seq    uint64 `json:"seq"`
	Record string `json:"record"` // the entry's body, JSON
}

// Recorded is what an administrator's input left in the journal.
type Recorded struct {
	State   string   `json:"state"`
	Seq     uint64   `json:"seq"`
	Alive   []Alive  `json:"alive,omitempty"` // of a freeze: authorisations it came too late for
	Receipt *Receipt `json:"receipt"`
}

type (
	importParams struct {
		Wallet          NewWallet
		ExpectedAddress string
	}
	walletStateParams struct{ ID, State, Reason string }
	freezeParams      struct{ Reason string }
	rotateParams      struct{ Step LogKeyStep }
)

// AdminMethods are the methods of the administrator's socket.
func AdminMethods(a Admin) Methods {
	return Methods{
		"wallet.create": handle(func(ctx context.Context, by Caller, w NewWallet) (Ceremony, error) {
			return a.CreateWallet(ctx, by, w)
		}),
		"wallet.import": handleAttached(func(ctx context.Context, by Caller, p importParams, keyText []byte) (Ceremony, error) {
			defer clear(keyText)
			return a.ImportWallet(ctx, by, p.Wallet, p.ExpectedAddress, keyText)
		}),
		"wallet.list": handle(func(ctx context.Context, _ Caller, _ noParams) ([]Wallet, error) {
			return a.ListWallets(ctx)
		}),
		"wallet.state": handle(func(ctx context.Context, by Caller, p walletStateParams) (Recorded, error) {
			return a.SetWalletState(ctx, by, p.ID, p.State, p.Reason)
		}),
		"freeze": handle(func(ctx context.Context, by Caller, p freezeParams) (Recorded, error) {
			return a.FreezeHost(ctx, by, p.Reason)
		}),
		"logkey.rotate": handle(func(ctx context.Context, by Caller, p rotateParams) (LogKeyRotation, error) {
			return a.RotateLogKey(ctx, by, p.Step)
		}),
		"ready": handle(func(ctx context.Context, _ Caller, _ noParams) (Ready, error) {
			return a.Ready(ctx)
		}),
	}
}

// AdminClient is the administrator's end. Who is asking is the server's to find out: there is no Caller to give.
type AdminClient struct{ *Client }

func (c AdminClient) CreateWallet(ctx context.Context, w NewWallet) (Ceremony, error) {
	return ask[Ceremony](ctx, c.Client, "wallet.create", w, nil)
}

// ImportWallet sends keyText as the attachment; wiping it is the caller's.
func (c AdminClient) ImportWallet(ctx context.Context, w NewWallet, expectedAddress string, keyText []byte) (Ceremony, error) {
	return ask[Ceremony](ctx, c.Client, "wallet.import", importParams{w, expectedAddress}, keyText)
}

func (c AdminClient) ListWallets(ctx context.Context) ([]Wallet, error) {
	return ask[[]Wallet](ctx, c.Client, "wallet.list", noParams{}, nil)
}

func (c AdminClient) SetWalletState(ctx context.Context, id, state, reason string) (Recorded, error) {
	return ask[Recorded](ctx, c.Client, "wallet.state", walletStateParams{id, state, reason}, nil)
}

func (c AdminClient) FreezeHost(ctx context.Context, reason string) (Recorded, error) {
	return ask[Recorded](ctx, c.Client, "freeze", freezeParams{reason}, nil)
}

func (c AdminClient) RotateLogKey(ctx context.Context, step LogKeyStep) (LogKeyRotation, error) {
	return ask[LogKeyRotation](ctx, c.Client, "logkey.rotate", rotateParams{step}, nil)
}

func (c AdminClient) Ready(ctx context.Context) (Ready, error) {
	return ask[Ready](ctx, c.Client, "ready", noParams{}, nil)
}

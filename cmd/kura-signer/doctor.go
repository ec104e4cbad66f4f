package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"kura/cmd/kura-signer/host"
	"kura/journal"
	"kura/journal/anchorfile"
	"kura/ledger"
	"kura/signer/rpc"
	"kura/signer/token"
	"kura/statement"
)

// A finding is one thing that doctor looked at.
type finding struct {
	Level  string `json:"level"` // ok, warn, fail
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// An examination gathers findings.
type examination struct {
	config   *Config
	findings []finding
}

func (x *examination) ok(code, format string, args ...any)   { x.add("ok", code, format, args...) }
func (x *examination) warn(code, format string, args ...any) { x.add("warn", code, format, args...) }
func (x *examination) fail(code, format string, args ...any) { x.add("fail", code, format, args...) }

func (x *examination) add(level, code, format string, args ...any) {
	x.findings = append(x.findings, finding{level, code, fmt.Sprintf(format, args...)})
}

// doctor looks for what is wrong or weak. Beside a running signer it asks that; otherwise it opens token and journal
// itself and changes nothing.
func doctor(ctx context.Context, in *invocation) error {
	c, asJSON, err := in.configAndJSON("doctor")
	if err != nil {
		return err
	}
	x := &examination{config: c}
	x.ok("config", "the configuration is complete")
	x.directories()
	x.pin()
	x.memory()
	runs, err := running(c.StateDir)
	switch {
	case err != nil:
		x.fail("lock", "%v", err)
	case runs:
		x.askSigner(ctx)
	default:
		x.openAll(ctx)
	}
	if err := x.print(in, asJSON); err != nil {
		return err
	}
	for _, f := range x.findings {
		if f.Level == "fail" {
			return exit(exitFailed, errors.New("something is wrong, see above"))
		}
	}
	return nil
}

func (x *examination) print(in *invocation, asJSON bool) error {
	if asJSON {
		return printJSON(in.stdout, x.findings)
	}
	w := tabwriter.NewWriter(in.stdout, 0, 0, 2, ' ', 0)
	for _, f := range x.findings {
		say(w, "%s\t%s\t%s\n", f.Level, f.Code, f.Detail)
	}
	return w.Flush()
}

// directories holds the places of secrets to their owners.
func (x *examination) directories() {
	info, err := os.Stat(x.config.StateDir)
	switch {
	case err != nil:
		x.fail("state_dir", "%v", err)
	case info.Mode().Perm()&0o077 != 0:
		x.fail("state_dir", "%s has mode %04o: nobody but the signer's user may enter", x.config.StateDir, info.Mode().Perm())
	default:
		x.ok("state_dir", "%s is closed to others", x.config.StateDir)
	}
	switch same, err := sameVolume(filepath.Dir(x.config.AnchorFile), filepath.Dir(x.config.Journal.Path)); {
	case x.config.Journal.Kind != journalEmbedded:
	case err != nil:
		x.fail("anchor_file", "%v", err)
	case same:
		x.warn("anchor_beside_journal", "the anchor file lies on the volume of the journal: restoring that volume rolls both back")
	default:
		x.ok("anchor_file", "the anchor file lies on another volume than the journal")
	}
}

// pin objects to a PIN that is stolen together with what it opens.
func (x *examination) pin() {
	if _, err := os.Lstat(x.config.soPINFile()); err == nil {
		x.warn("so_pin_here", "%s is still here: the signer does not need it, and whoever has it and the token sets another PIN or erases everything; keep it in a safe", x.config.soPINFile())
	}
	path := x.config.Token.PINFile
	if path == "" {
		return
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.fail("pin_file", "there is no %s: kura-signer token init makes it, with the token", path)
		return
	case err != nil:
		x.fail("pin_file", "%v", err)
		return
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0:
		x.fail("pin_file", "%s has mode %s: it must be a file that nobody else can read", path, info.Mode())
		return
	}
	tokens, err := x.config.tokenDirectory()
	if err != nil || tokens == "" {
		return // a token of hardware, or one whose files are not known
	}
	if same, err := sameVolume(filepath.Dir(path), tokens); err == nil && same {
		x.warn("pin_beside_token", "%s lies on the volume of the token's files (%s): whoever copies the volume has the keys", path, tokens)
	}
}

func sameVolume(a, b string) (bool, error) {
	var first, second unix.Stat_t
	if err := unix.Stat(a, &first); err != nil {
		return false, fmt.Errorf("%s: %w", a, err)
	}
	if err := unix.Stat(b, &second); err != nil {
		return false, fmt.Errorf("%s: %w", b, err)
	}
	return first.Dev == second.Dev, nil
}

// leastLocked is how much memory must be lockable for PIN and seeds: a few pages for each session.
const leastLocked = 256 << 10

func (x *examination) memory() {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		x.fail("memory_lock", "%v", err)
	} else if limit.Cur < leastLocked {
		x.fail("memory_lock", "only %d bytes can be locked, at least %d are needed (LimitMEMLOCK=)", limit.Cur, leastLocked)
	}
	if !token.ErasesArithmetic {
		x.warn("seeds_not_erased", notErased)
	}
	swaps, err := os.ReadFile("/proc/swaps")
	if err == nil && strings.Count(strings.TrimSpace(string(swaps)), "\n") > 0 {
		x.warn("swap", "the machine swaps: what the module itself keeps in memory may reach the disk unless swap is encrypted")
	}
}

// askSigner reports what the running signer says of itself.
func (x *examination) askSigner(ctx context.Context) {
	admin := rpc.NewAdminClient(x.config.AdminSocket)
	defer admin.Close()
	r, err := admin.Ready(ctx)
	if err != nil {
		x.fail("signer", "a signer holds the lock and does not answer on %s: %v", x.config.AdminSocket, err)
		return
	}
	x.ok("signer", "it runs; %d entries, policy %s", r.Size, r.Policy)
	for _, reason := range r.Reasons {
		level := "warn"
		if reason.Stops {
			level = "fail"
		}
		x.add(level, reason.Code, "%s", reason.Detail)
	}
	for _, w := range r.Witnesses {
		switch {
		case w.Trouble != "":
			x.warn("witness_away", "%s could not be asked: %s; size %d is the last that it was seen to cosign", w.Name, w.Trouble, w.Size)
		case !w.Answers:
			x.warn("witness_away", "%s was not heard lately; size %d is the last that it was seen to cosign", w.Name, w.Size)
		default:
			x.ok("witness", "%s cosigned size %d at %s", w.Name, w.Size, w.Time)
		}
	}
}

// openAll looks at the token and the whole journal.
func (x *examination) openAll(ctx context.Context) {
	x.warn("signer", "no signer runs")
	t, err := openToken(ctx, x.config, nil)
	if err != nil {
		x.fail("token", "%v", err)
		return
	}
	defer t.Close() // it was only asked
	x.ok("token", "it opens")
	if leak := t.Leak(); leak != "" {
		x.warn("token_leaky", "it gives private keys to whoever has its PIN (%s); accepted because: %s", leak, x.config.Token.AcceptLeakyToken)
	}
	objects, err := t.List()
	if err != nil {
		x.fail("token_objects", "%v", err)
	}
	for _, o := range objects {
		for _, p := range o.Problems {
			x.fail("token_objects", "%s: %s", o.Label, p)
		}
	}
	if _, bound := t.Genesis(); !bound {
		level, err := "warn", x.config.unbound(ctx)
		if errors.Is(err, errOtherToken) {
			level = "fail"
		}
		x.add(level, "genesis", "%v", err)
		return
	}
	x.journal(ctx, t)
	if len(x.config.Witnesses) == 0 {
		x.warn("no_witness", rollbackUnbounded)
	} else if !x.config.CosignBeforeRelease {
		x.warn("cosigned_behind", "witnesses cosign behind the answers (cosign_before_release = false): a rollback of this host is unbounded")
	}
}

// journal verifies every entry and every signed head, and that the journal extends its anchors.
func (x *examination) journal(ctx context.Context, t *token.Token) {
	if _, err := os.Stat(x.config.Journal.Path); x.config.Journal.Kind == journalEmbedded && errors.Is(err, fs.ErrNotExist) {
		x.fail("journal", "the token is bound to a journal, and %s does not exist", x.config.Journal.Path)
		return
	}
	s, err := openStore(ctx, x.config.Journal)
	if err != nil {
		x.fail("journal", "%v", err)
		return
	}
	defer s.Close() // it was only read
	genesis, err := genesisOf(ctx, x.config, t, s)
	if err != nil {
		x.fail("journal", "%v", err)
		return
	}
	state := ledger.NewState()
	head, _, err := journal.Verify(ctx, s, journal.Verification{
		Genesis: genesis, EverySignature: true, Visit: func(e journal.Entry, _ []byte) error { return state.Apply(e) },
	})
	if err != nil {
		x.fail("journal", "%v", err)
		return
	}
	x.ok("journal", "%d entries and every signed head verify under %s", head.Size, genesis)
	if stray, err := s.Stray(ctx); err != nil {
		x.warn("stray_rows", "nobody looked: %v", err)
	} else if stray.Rows > 0 {
		x.warn("stray_rows", "%s", stray)
	}
	for _, g := range state.Gaps() {
		x.warn("gap", "the journal lost its entries from %d on and goes on without them since %s, by %s; a head of size %d had been signed", g.Kept.Size, statement.FormatTime(g.Clock), strings.Join(g.By, ", "), g.Lost.Size)
	}
	x.logKeys(ctx, t, state)
	x.walletKeys(ctx, t, state)
	anchors := []journal.Anchor{anchorfile.New(x.config.AnchorFile), host.Anchor{Token: t}}
	log, err := journal.Open(ctx, journal.Config{
		Genesis: genesis, Store: s, Anchors: anchors, Joining: x.config.Journal.Shared,
		Trusted: head, Handovers: state.LogKeys().Handovers(), Lost: state.Lost,
	})
	if err != nil {
		x.fail("anchors", "%v", err)
		return
	}
	x.ok("anchors", "the journal extends the heads that the anchor file and the token hold")
	x.cosigned(ctx, log)
}

// walletKeys has every wallet's key that is not given up sign a message that pays nothing: a sealed file that nobody copied
// here would be missed by the first payment only.
func (x *examination) walletKeys(ctx context.Context, t *token.Token, state *ledger.State) {
	sign := 0
	for _, w := range state.Wallets() {
		if w.State == ledger.WalletRetired || w.State == ledger.WalletCompromised {
			continue
		}
		c, err := t.Ceremony(ctx, w.Name)
		switch {
		case err != nil:
			x.fail("wallet_key", "wallet %s cannot sign here: %v", w.Name, err)
		case c.PublicKey != w.PublicKey || c.Network != w.Network:
			x.fail("wallet_key", "wallet %s has the key %s on %s here, and the journal says %s on %s", w.Name, c.PublicKey, c.Network, w.PublicKey, w.Network)
		default:
			sign++
		}
	}
	if sign > 0 {
		x.ok("wallet_keys", "%d sign", sign)
	}
}

// cosigned holds the journal to the newest head that this host saw witnesses cosign. They are not asked themselves:
// only a signer does that, with every start.
func (x *examination) cosigned(ctx context.Context, log *journal.Log) {
	w, err := x.config.witnesses()
	if err != nil {
		x.fail("witnesses", "%v", err)
		return
	}
	c, err := w.Newest.Load(ctx)
	if err == nil && c != nil {
		err = log.CheckExtends(ctx, w.Newest.Name(), c)
	}
	asked := fmt.Sprintf("they were not asked: %d of %d must cosign what a signer starts from", w.Quorum, len(w.Keys))
	switch {
	case err != nil:
		x.fail("witnesses", "what they cosigned before: %v", err)
	case len(w.Keys) == 0: // openAll warns of that
	case c == nil:
		x.ok("witnesses", "this host keeps no head that they cosigned; %s", asked)
	default:
		x.ok("witnesses", "the journal extends the newest head that this host saw them cosign; %s", asked)
	}
}

// logKeys says which of the token's log keys is in force, and what the others are for.
func (x *examination) logKeys(ctx context.Context, t *token.Token, state *ledger.State) {
	held, err := t.LogKeys(ctx)
	if err != nil {
		x.fail("log_key", "%v", err)
		return
	}
	keys, permit := state.LogKeys(), state.LogKeyPermit()
	current := false
	for _, key := range held {
		name := journal.FormatLogKey(key)
		switch {
		case key == keys.Newest():
			current = true
			x.ok("log_key", "%s signs the journal's heads", name)
		case keys.Used(key):
			x.warn("log_key_replaced", "%s was replaced and is still there: destroy it with kura-signer rotate log-key --destroy-old", name)
		case permit != nil && permit.New == key:
			x.warn("log_key_permitted", "%s waits, and may be handed over to from %s on: go on with kura-signer rotate log-key", name, statement.FormatTime(permit.From))
		default:
			x.ok("log_key_waits", "%s waits until a proposal permits handing over to it", name)
		}
	}
	if !current {
		x.fail("log_key", "the journal's log key is %s, and the token does not have it", journal.FormatLogKey(keys.Newest()))
	}
}

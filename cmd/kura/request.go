package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kura/journal"
	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// A pending request as an officer's own machine understands it: decoded from the
// text that the client signed, judged by the policy and the history that this
// machine has verified.
type pendingView struct {
	request  *ledger.Request
	payment  statement.Payment
	network  nem.Network
	policy   *policy.Policy // in force
	decision policy.Decision
	assets   []policy.AssetRef // by payment.Assets
	held     time.Time
}

// view decodes a held request and decides about it again, here and now.
func (m *mirror) view(r *ledger.Request, now policy.Now) (*pendingView, error) {
	p := m.state.PolicyInForce()
	account, ok := p.Account(r.Wallet)
	if !ok {
		return nil, fmt.Errorf("%s: the policy in force has no wallet %q", r.ID, r.Wallet)
	}
	payment, err := r.Withdrawal.Resolve(account.Network)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.ID, err)
	}
	v := &pendingView{request: r, payment: payment, network: account.Network, policy: p, held: time.UnixMilli(r.Since)}
	for _, a := range payment.Assets {
		asset, ok := p.AssetOf(account.Network, a.ID)
		if !ok {
			asset = &policy.Asset{ID: policy.AssetRef(a.ID.String())} // shown in smallest units
		}
		v.assets = append(v.assets, asset.ID)
	}
	v.decision = policy.Decide(policy.Input{
		Policy: p, Overlay: m.state.Overlay(), Book: m.state.Book(), Usage: m.state.Usage(),
		Request: policy.Request{
			Hash: r.Hash, Client: policy.ClientID(r.By.ID), Key: r.Key, Withdrawal: r.Withdrawal, Since: r.Since,
		},
		Verdicts: r.Verdicts, Now: now,
	})
	return v, nil
}

// amountText writes "60,000 XEM", in whole units.
func (v *pendingView) amountText() string {
	var parts []string
	for i, a := range v.payment.Assets {
		parts = append(parts, v.policy.Show(v.assets[i], policy.Units(a.Amount)))
	}
	return strings.Join(parts, " and ")
}

func (v *pendingView) rawText() string {
	var parts []string
	for _, a := range v.payment.Assets {
		parts = append(parts, fmt.Sprintf("%s of %s", a.Amount, a.ID))
	}
	return strings.Join(parts, ", ") + ", in smallest units"
}

// limitText writes a number of a limit: an amount in whole units, or a count.
func (v *pendingView) limitText(id string, n policy.Units) string {
	l, ok := v.policy.Limit(id)
	if ok && len(l.Asset) == 1 && l.Of != "count" {
		return v.policy.Show(l.Asset[0], n)
	}
	return n.String()
}

// feeText writes a fee in whole units of the network's currency.
func (v *pendingView) feeText(n policy.Units) string {
	if a, ok := v.policy.AssetOf(v.network, nem.Currency(v.network)); ok {
		return v.policy.Show(a.ID, n)
	}
	return n.String() + " (smallest units)"
}

func messageText(m statement.Message) string {
	switch m.Kind {
	case statement.MessageNone:
		return "none"
	case statement.MessageText:
		return "text " + statement.Quote(m.Value, 1024)
	default:
		return string(m.Kind) + " " + statement.Quote(m.Value, 2048)
	}
}

// find looks a pending request up by id, by the hash of its statement, or by an
// unambiguous beginning of either.
func (m *mirror) find(name string) (*ledger.Request, error) {
	var found []*ledger.Request
	for _, r := range m.state.Pending() {
		if strings.HasPrefix(r.ID.String(), name) || strings.HasPrefix(r.Hash.String(), name) {
			found = append(found, r)
		}
	}
	switch {
	case name == "" || len(found) == 0:
		return nil, usagef("no pending request begins with %q; 'kura inbox' lists them, 'kura proposals' what is proposed", name)
	case len(found) > 1:
		return nil, usagef("%d pending requests begin with %q: give more of it", len(found), name)
	}
	return found[0], nil
}

// now is the pair of times by which this machine judges: its own clock, and the
// policy time of the newest entry, or the clock if that is later.
func (m *mirror) now() policy.Now {
	clock := time.Now().UnixMilli()
	return policy.Now{Clock: clock, Time: max(clock, m.state.Last().Time)}
}

func newInbox() *cobra.Command {
	return &cobra.Command{
		Use:   "inbox",
		Short: "List what waits for a verdict",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failure(withMirror(cmd, func(_ *connection, m *mirror) error { return m.inbox(cmd) }))
		},
	}
}

// withMirror runs a command on the verified journal.
func withMirror(cmd *cobra.Command, do func(*connection, *mirror) error) error {
	c, err := connect(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	m, err := c.sync(cmd)
	if err != nil {
		return err
	}
	m.alarms(cmd.ErrOrStderr())
	return do(c, m)
}

// recentAlarms is how long an alarm is shown to everybody who makes contact.
const recentAlarms = 24 * time.Hour

// alarms shows what people are called for, on every contact, on standard error so
// that no pipe hides it.
func (m *mirror) alarms(w io.Writer) {
	for _, e := range m.entries {
		// Neither of the signer's two times decides alone, and what came since the last contact is shown in any case: an
		// intruder may have set that clock back, and policy time may stay behind.
		age := time.Since(time.UnixMilli(max(e.Time, e.Clock)))
		if e.Kind != ledger.KindAlarm || age >= recentAlarms && (m.known == 0 || e.Seq < m.known) {
			continue
		}
		if body, err := ledger.DecodeBody(e.Kind, e.Body); err == nil { // it was folded, so it decodes
			fmt.Fprintf(w, "ALARM %s (%s ago, entry %d)\n", body.(*ledger.Alarm).Code, age.Round(time.Second), e.Seq)
		}
	}
	for _, s := range m.state.Overlay().Stops() {
		fmt.Fprintf(w, "STOPPED %s: %s by %s\n", strings.TrimSpace(string(s.Kind)+" "+s.Name), s.Action, s.By)
	}
	for _, f := range m.state.Freezes() {
		if f.Wallet != "" {
			fmt.Fprintf(w, "STOPPED key of wallet %s: suspend by host\n", f.Wallet)
		}
	}
}

func (m *mirror) inbox(cmd *cobra.Command) error {
	p := newPage(cmd.OutOrStdout())
	pending := m.state.Pending()
	if len(pending) == 0 {
		p.line("Nothing waits. (Verified up to entry %d.)", m.head.Size-1)
		return p.flush()
	}
	now := m.now()
	for _, r := range pending {
		v, err := m.view(r, now)
		if err != nil {
			return err
		}
		p.title("%s  %s", r.ID, v.amountText())
		p.field("to", "%s", v.payment.Destination)
		p.field("from", "%s, asked by %s %s ago", r.Wallet, r.By.ID, time.Since(v.held).Round(time.Second))
		if v.decision.Outcome == policy.Deny {
			p.field("NOW", "%s", v.obstacle())
		}
		for _, w := range v.decision.Waits {
			p.field("waits for", "%s", policyWaitText(w))
		}
	}
	return p.flush()
}

func policyWaitText(w policy.Wait) string {
	text := string(w.Kind)
	switch w.Kind {
	case policy.WaitUnfreeze:
		text = "the lift of stop " + w.For // kura lift takes it
	case policy.WaitApproval:
		text = fmt.Sprintf("%d of %d of %s", w.Have, w.Need, w.Group)
		if len(w.Who) > 0 {
			text += "; may still approve: " + strings.Join(w.Who, ", ")
		}
	default: // the kind says it
	}
	if w.Until != 0 {
		text += ", until " + statement.FormatTime(w.Until)
	}
	return text
}

func newShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a pending request, decoded from the signed text on this machine",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return failure(withMirror(cmd, func(_ *connection, m *mirror) error {
				_, err := m.showPending(args[0], cmd.OutOrStdout())
				return err
			}))
		},
	}
}

// showPending finds a pending request, decodes and judges it here and now, and
// shows it.
func (m *mirror) showPending(name string, w io.Writer) (*pendingView, error) {
	r, err := m.find(name)
	if err != nil {
		return nil, err
	}
	v, err := m.view(r, m.now())
	if err != nil {
		return nil, err
	}
	p := newPage(w)
	m.show(p, v)
	return v, p.flush()
}

// show prints all that an officer must know: what, to whom, why them, why now,
// what is unusual, and what happens without them.
func (m *mirror) show(p *page, v *pendingView) {
	r, w := v.request, v.request.Withdrawal
	p.title("Withdrawal %s", r.ID)
	p.field("pays", "%s", v.amountText())
	p.field("", "(%s)", v.rawText())
	p.field("to", "%s", v.payment.Destination)
	p.field("", "%s", m.destinationText(v))
	p.field("message", "%s", messageText(w.Message))
	p.field("from", "%s on %s", r.Wallet, v.network)
	p.field("fee", "%s, the client takes up to %s", v.feeText(v.decision.Fee), v.feeText(policy.Units(w.MaxFee)))
	p.field("asked by", "client %s, reference %s, customer %s", r.By.ID, statement.Quote(w.Reference, 128), statement.Quote(w.Customer, 128))
	p.field("statement", "%s", r.Hash)
	p.field("signed by", "%s", r.Key.Fingerprint())
	p.blank()
	if text := v.obstacle(); text != "" {
		p.field("NOW", "%s", text)
	}
	p.field("why you", "rule %s", v.decision.Rule)
	for _, wait := range v.decision.Waits {
		p.field("", "%s", policyWaitText(wait))
	}
	for _, verdict := range r.Verdicts {
		p.field("", "%s: %s, %s ago", verdict.By, verdict.Kind, time.Since(time.UnixMilli(verdict.At)).Round(time.Second))
	}
	for _, l := range v.decision.Limits {
		p.field("limit", "%s: %s of %s used in %s, %s with this%s", l.Limit,
			v.limitText(l.Limit, l.Before), v.limitText(l.Limit, l.Max), l.Window, v.limitText(l.Limit, l.After), fits(l))
	}
	for _, text := range m.unusual(v) {
		p.field("unusual", "%s", text)
	}
	m.age(p)
	p.field("otherwise", "without enough approvals it lapses at %s", statement.FormatTime(w.Expires))
}

// obstacle says what stands in the way, however many approve.
func (v *pendingView) obstacle() string {
	frozen := func(w policy.Wait) bool { return w.Kind == policy.WaitUnfreeze }
	switch {
	case v.decision.Outcome == policy.Deny:
		return fmt.Sprintf("as things stand it would be denied, and no approval counts: %s", words(v.decision.Code))
	case slices.ContainsFunc(v.decision.Waits, frozen):
		return "FROZEN: your verdict counts, and nothing is paid before the freeze is lifted"
	}
	return ""
}

func fits(l policy.LimitTrace) string {
	switch {
	case l.Fits:
		return ""
	case l.Binds:
		return ": NO ROOM"
	}
	return ": above it, which this quorum may approve"
}

// destinationText says where the address is known from.
func (m *mirror) destinationText(v *pendingView) string {
	entries := m.state.Book().At(v.payment.Destination)
	if len(entries) == 0 {
		if like, ok := m.resembles(v.payment.Destination.String()); ok {
			return fmt.Sprintf("NOT LISTED, but it resembles %s, which is %s: look at every character", like.address, statement.Quote(like.name, 64))
		}
		return "in no address book"
	}
	var names []string
	for _, e := range entries {
		names = append(names, fmt.Sprintf("%s in book %s", statement.Quote(e.Name, 64), e.Book))
	}
	return "listed as " + strings.Join(names, ", ")
}

type resemblance struct{ address, name string }

// resembles finds a listed address with the same beginning and end as an address
// that is not listed: what a person compares, and an intruder grinds for.
func (m *mirror) resembles(text string) (resemblance, bool) {
	const ends = 4
	for _, e := range m.state.Book().Entries() {
		listed := e.Address
		if len(text) >= ends && listed != text && strings.HasPrefix(listed, text[:ends]) && strings.HasSuffix(listed, text[len(text)-ends:]) {
			return resemblance{listed, e.Name}, true
		}
	}
	return resemblance{}, false
}

// unusual lists what an officer should look at twice, from the verified history.
func (m *mirror) unusual(v *pendingView) []string {
	var texts []string
	if !m.paidBefore(v.payment.Destination.String()) {
		texts = append(texts, "first payment to this destination in this journal")
	}
	for _, l := range v.decision.Limits {
		if l.Binds && l.Max > 0 && uint64(l.After) > uint64(l.Max)/10*8 {
			texts = append(texts, fmt.Sprintf("limit %s would be more than 80%% full", l.Limit))
		}
	}
	return texts
}

// paidBefore looks through the verified journal for an authorised withdrawal to
// the address.
func (m *mirror) paidBefore(destination string) bool {
	asked := map[statement.Hash]bool{}
	return slices.ContainsFunc(m.entries, func(e journal.Entry) bool {
		switch e.Kind {
		case ledger.KindStatement:
			body, err := ledger.DecodeBody(e.Kind, e.Body)
			if err != nil {
				return false
			}
			s := body.(*ledger.Statement)
			if decoded, err := statement.Decode(s.Statement); err == nil {
				if w, ok := decoded.(*statement.Withdrawal); ok && w.Destination == destination {
					asked[s.Hash] = true
				}
			}
		case ledger.KindOutcome:
			body, err := ledger.DecodeBody(e.Kind, e.Body)
			if err != nil {
				return false
			}
			o := body.(*ledger.Outcome)
			return o.State == ledger.StateAuthorized && asked[o.About]
		}
		return false
	})
}

package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kura/statement"
)

// decimal writes a number of smallest units in whole units, with commas between
// thousands and as many places as it needs.
func decimal(digits string, divisibility int) string {
	if len(digits) <= divisibility {
		digits = strings.Repeat("0", divisibility+1-len(digits)) + digits
	}
	whole, fraction := digits[:len(digits)-divisibility], digits[len(digits)-divisibility:]
	fraction = strings.TrimRight(fraction, "0")
	var b strings.Builder
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(whole[i])
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return b.String()
}

// Show writes an amount in whole units with the asset's name, "250,000 XEM";
// in smallest units if the registry has no such asset.
func (p *Policy) Show(ref AssetRef, amount Units) string {
	a, ok := p.AssetRef(ref)
	if !ok {
		return amount.String() + " (smallest units)"
	}
	return decimal(amount.String(), int(a.Divisibility)) + " " + a.Name
}

// ShowLimit writes a number of the limit with a name: an amount in whole units, or
// how many withdrawals.
func (p *Policy) ShowLimit(name string, n Units) string {
	l, ok := p.Limit(name)
	if !ok {
		return n.String()
	}
	return p.limitUnit(l, n)
}

// limitUnit writes a number of a limit: an amount, or how many withdrawals.
func (p *Policy) limitUnit(l *Limit, n Units) string {
	if l.Of == ofCount {
		return plural(uint64(n), "withdrawal")
	}
	if len(l.Asset) == 1 {
		return p.Show(l.Asset[0], n)
	}
	return n.String()
}

// plural writes how many there are of something, "1 director" or "2 directors".
func plural[T ~int | ~uint64](n T, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return decimal(fmt.Sprint(n), 0) + " " + thing + "s"
}

// moment writes a policy time for people.
func moment(unixMillis int64) string {
	return time.UnixMilli(unixMillis).UTC().Format("2006-01-02 15:04:05 UTC")
}

// codeWords are the sentences for Decision.Code.
var codeWords = map[string]string{
	CodeSigned:              "signed: a rule signs it and every limit has room",
	CodeApproved:            "signed: the people that it needs have approved",
	CodeNeedsApproval:       "held: it waits for approvals",
	CodeCoolingOff:          "held: approved, and its cooling-off is not over",
	CodeWaitsForRoom:        "held: a limit has no room yet",
	CodeFrozen:              "the wallet is frozen",
	CodeUnusable:            "the decision was asked for with parts that do not belong together",
	CodeClientUnknown:       "the policy names no such client",
	CodeClientLastDay:       "the client's last day is over",
	CodeClientStopped:       "the client is frozen or suspended",
	CodeKeyRemoved:          "the policy does not name the key that signed it as this client's",
	CodeKeySuspended:        "the key that signed it is suspended",
	CodeExpired:             "its time to be authorised is over",
	CodeWalletUnknown:       "the policy names no such wallet",
	CodeWalletMismatch:      "walletAddress is not the address of that wallet",
	CodeBadValue:            "an address, an asset or the message does not fit the wallet's network: mistyped, or of another chain",
	CodeAssetNotRegistered:  "an asset that is not in the policy's registry",
	CodeFeeAboveCap:         "the fee is above the client's cap",
	CodeFeeCapAbovePolicy:   "the client's fee cap is above the policy's",
	CodeAmountOverflow:      "the amounts are too large to add up",
	CodeDestinationStopped:  "the destination is suspended",
	CodeMessageNotAllowed:   "the destination is listed, and not with this message",
	CodeDestinationUnlisted: "no rule pays it, and the destination is in no list",
	CodeNoRule:              "no rule matches",
	CodeDeniedByRule:        "a rule denies it",
	CodeLimit:               "a limit has no room",
	CodeLimitNever:          "it is more than a limit ever admits",
	CodeRejected:            "rejected by those who may approve",
	CodeApprovalExpired:     "the time to approve it is over",
	CodeNotEntitled:         "this party may not do that",
	CodeOperator:            "whoever operates the client never judges for it",
	CodeOtherPolicy:         "another policy is in force than the one that it was judged under",
	CodeLastDay:             "this party's last day is over",
	CodeSuspended:           "this party, or this key, is suspended",
	CodeNothingToDecide:     "it waits for no approval",
	CodeUnknownTarget:       "the policy has nothing of that name to stop",
	CodeAlreadyInForce:      "this party holds that stop in force already",
	CodeNotLower:            "the number is not lower than the one in force",
	CodeTooMany:             "this party holds as many stops in force as one may",
	CodeBaseNotInForce:      "it was proposed on another policy than the one in force",
	CodeBadDocument:         "what it proposes cannot come into force",
	CodeKeyReturns:          "a key that is out never comes back, and none changes its owner",
	CodeVetoed:              "directors vetoed it",
	CodeCancelled:           "whoever asked for it took it back",
	CodeTimeLock:            "it is approved, and its time-lock runs",
	CodeInForce:             "it is approved and in force",
	CodePermitted:           "the host may hand the log key over now",
	CodeReplaced:            "another log key was adopted after it",
}

// Words gives the sentence for a decision's code.
func Words(code string) string {
	if words, ok := codeWords[code]; ok {
		return words
	}
	return code
}

// Explain renders a decision for officers and auditors, line by line: the
// outcome, the rules condition by condition, every limit before and after, what
// it waits for and from when it would be allowed. Foreign text is quoted and
// escaped. It is made from the decision, never recorded.
func Explain(p *Policy, w *statement.Withdrawal, d *Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", strings.ToUpper(d.Outcome.String()), Words(d.Code))
	if d.Field != "" {
		fmt.Fprintf(&b, " (%s)", d.Field)
	}
	b.WriteString("\n")
	if w != nil {
		fmt.Fprintf(&b, "\npays    %s\n", Payment(p, w))
		fmt.Fprintf(&b, "to      %s\nfrom    wallet %s\nmessage %s\n", w.Destination, w.Wallet, messageWords(w.Message))
	}
	if d.Fee > 0 {
		for _, o := range d.Outflows {
			if o.Kind == FeeOutflow {
				fmt.Fprintf(&b, "fee     %s\n", p.Show(o.Asset, o.Amount))
			}
		}
	}
	explainRules(&b, d)
	explainLimits(&b, p, d)
	explainWaits(&b, p, d)
	for _, tripwire := range d.Tripwires {
		fmt.Fprintf(&b, "\nTRIPWIRE %s: nobody honest does this\n", tripwire)
	}
	return b.String()
}

// Payment writes what a withdrawal pays, whole units beside the raw numbers.
func Payment(p *Policy, w *statement.Withdrawal) string {
	from, _ := p.Account(WalletID(w.Wallet))
	parts := make([]string, len(w.Assets))
	for i, a := range w.Assets {
		parts[i] = fmt.Sprintf("%s of %s (smallest units)", a.Amount, quoted(a.Asset))
		for k := range p.assetList {
			if f := &p.assetList[k]; f.network == from.Network && f.id.String() == a.Asset {
				parts[i] = fmt.Sprintf("%s (%s of %s)", p.Show(p.doc.Assets[k].ID, Units(a.Amount)), a.Amount, a.Asset)
			}
		}
	}
	return strings.Join(parts, " and ")
}

func messageWords(m statement.Message) string {
	if m.Kind == statement.MessageNone {
		return "none"
	}
	return string(m.Kind) + " " + quoted(m.Value)
}

func explainRules(b *strings.Builder, d *Decision) {
	if len(d.Rules) == 0 {
		return
	}
	b.WriteString("\nRules, in order:\n")
	for _, t := range d.Rules {
		verdict := "does not match: " + strings.Join(t.Failed.Names(), ", ")
		if t.Failed == 0 {
			verdict = "matches"
		}
		if t.Held != 0 {
			verdict += " (holds: " + strings.Join(t.Held.Names(), ", ") + ")"
		}
		fmt.Fprintf(b, "  %-24s %-6s %s\n", t.Rule, t.Asset, verdict)
	}
	if d.Rule != "" {
		fmt.Fprintf(b, "  decided by %s\n", d.Rule)
	}
}

func explainLimits(b *strings.Builder, p *Policy, d *Decision) {
	if len(d.Limits) == 0 {
		return
	}
	b.WriteString("\nLimits:\n")
	for _, t := range d.Limits {
		l, ok := p.Limit(t.Limit)
		if !ok {
			continue
		}
		what := "in any " + t.Window.String()
		if t.Per != 0 {
			what += ", for each " + strings.Join(t.Per.Names(), " and ")
		}
		fits := "fits"
		switch {
		case !t.Fits && !t.Binds:
			fits = "exceeded, and lifted by the quorum that the rule asks for"
		case !t.Fits && t.FreesAt != 0:
			fits = "NO ROOM, then " + t.At + "; it would fit from " + moment(t.FreesAt)
		case !t.Fits:
			fits = "NEVER FITS, then " + t.At
		}
		fmt.Fprintf(b, "  %-24s %s of %s %s → %s: %s\n", t.Limit, p.limitUnit(l, t.Before), p.limitUnit(l, t.Max), what, p.limitUnit(l, t.After), fits)
	}
}

func explainWaits(b *strings.Builder, p *Policy, d *Decision) {
	if len(d.Waits) == 0 {
		return
	}
	b.WriteString("\nIt waits for:\n")
	for _, w := range d.Waits {
		b.WriteString("  " + waitWords(p, w) + "\n")
	}
}

// waitWords says what one wait is about.
func waitWords(p *Policy, w Wait) string {
	switch w.Kind {
	case WaitApproval:
		text := fmt.Sprintf("%d of %s for %s, has %d", w.Need, w.Group, w.For, w.Have)
		if w.Alternative > 0 {
			text = "or " + text
		}
		if len(w.Who) > 0 {
			who := make([]string, len(w.Who))
			for i, id := range w.Who {
				who[i] = id
				if person, ok := p.Person(PersonID(id)); ok && person.Name != "" {
					who[i] = quoted(person.Name)
				}
			}
			slices.Sort(who)
			text += "; may still approve: " + strings.Join(who, ", ")
		}
		return text + lapses(w.Until)
	case WaitTime:
		return "the cooling-off of " + w.For + ", until " + moment(w.Until)
	case WaitLimit:
		return "room in limit " + w.For + ", from " + moment(w.Until) + " if nothing else is signed"
	case WaitUnfreeze:
		return "the lift of freeze " + w.For
	case WaitToken:
		return "the token"
	}
	return string(w.Kind)
}

func lapses(until int64) string {
	if until == 0 {
		return ""
	}
	return "; lapses " + moment(until)
}

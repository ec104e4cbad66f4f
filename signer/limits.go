package signer

import (
	"context"
	"slices"
	"strings"

	"kura/nem"
	"kura/policy"
	"kura/signer/rpc"
	"kura/statement"
)

// Limits implements rpc.Gateway. Windows for each destination or customer are as many as there are such, and are not
// listed; a client is told how full a window is only if nobody else fills it.
func (s *Signer) Limits(_ context.Context, bearer string) ([]rpc.Limit, error) {
	actor, err := s.reader(bearer)
	if err != nil {
		return nil, err
	}
	clock, boot := s.clock.Now()
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := probe{
		policy: s.state.PolicyInForce(), overlay: s.state.Overlay(), book: s.state.Book(), usage: s.state.Usage(),
		now: policy.Now{Clock: clock, Time: s.state.PolicyTime(clock, boot)}, actor: actor,
	}
	all := []rpc.Limit{}
	for i := range p.policy.Document().Limits {
		all = append(all, p.limit(&p.policy.Document().Limits[i])...)
	}
	return all, nil
}

// A probe reads windows in the one way that cannot differ from how they are judged: it has the policy decide a payment
// of the smallest amount, to nobody, and looks at what the limits said.
type probe struct {
	policy  *policy.Policy
	overlay policy.Overlay
	book    *policy.Book
	usage   *policy.Usage
	now     policy.Now
	actor   policy.Actor
}

// limit lists a limit's windows.
func (p *probe) limit(l *policy.Limit) []rpc.Limit {
	row := rpc.Limit{ID: l.ID, Max: l.Max.String(), Window: int64(l.Window), Always: l.Always}
	if slices.Contains(l.Per, "destination") || slices.Contains(l.Per, "customer") {
		row.Key = "each " + strings.Join(l.Per, ", ")
		return []rpc.Limit{row}
	}
	d := p.policy.Document()
	seen := map[string]bool{}
	var rows []rpc.Limit
	for _, c := range d.Clients {
		if l.Client != nil && !slices.Contains(l.Client, c.ID) || p.others(c.ID) {
			continue
		}
		for _, w := range d.Wallets {
			if l.Wallet != nil && !slices.Contains(l.Wallet, w.ID) {
				continue
			}
			for _, a := range d.Assets {
				if a.Network != w.Network || l.Asset != nil && !slices.Contains(l.Asset, a.ID) {
					continue
				}
				key := windowKey(l, c.ID, w.ID, a.ID)
				if seen[key] {
					continue
				}
				if trace, ok := p.ask(l, c.ID, w, a); ok {
					seen[key] = true
					rows = append(rows, p.row(row, key, trace, l, a.ID))
				}
			}
		}
	}
	return rows
}

// others tells whether a client asks about windows of another one.
func (p *probe) others(c policy.ClientID) bool {
	return p.actor.Kind == policy.ClientActor && string(c) != p.actor.ID
}

// windowKey names a window by what it is separated by: "client shop, wallet hot".
func windowKey(l *policy.Limit, c policy.ClientID, w policy.WalletID, a policy.AssetRef) string {
	var parts []string
	for _, part := range l.Per {
		switch part {
		case "wallet":
			parts = append(parts, "wallet "+string(w))
		case "client":
			parts = append(parts, "client "+string(c))
		case "asset":
			parts = append(parts, "asset "+string(a))
		}
	}
	return strings.Join(parts, ", ")
}

func (p *probe) ask(l *policy.Limit, c policy.ClientID, w policy.Wallet, a policy.Asset) (policy.LimitTrace, bool) {
	account, ok := p.policy.Account(w.ID)
	if !ok {
		return policy.LimitTrace{}, false
	}
	d := policy.Decide(policy.Input{
		Policy: p.policy, Overlay: p.overlay, Book: p.book, Usage: p.usage, Now: p.now,
		Request: policy.Request{Client: c, Since: p.now.Time, Withdrawal: &statement.Withdrawal{
			Expires: p.now.Clock, Wallet: string(w.ID), WalletAddress: account.Address.String(), Destination: account.Address.String(),
			Assets:  []statement.AssetAmount{{Asset: a.Asset, Amount: 1}},
			Message: statement.Message{Kind: statement.MessageNone}, MaxFee: nem.Amount(w.MaxFee),
		}},
	})
	for _, t := range d.Limits {
		if t.Limit == l.ID && (!slices.Contains(l.Per, "asset") || t.Asset == a.ID) {
			return t, true
		}
	}
	return policy.LimitTrace{}, false
}

func (p *probe) row(row rpc.Limit, key string, t policy.LimitTrace, l *policy.Limit, a policy.AssetRef) rpc.Limit {
	row.Key, row.Max = key, t.Max.String()
	if l.Of == "amount" || slices.Contains(l.Per, "asset") {
		row.Asset = string(a)
	}
	alone := slices.Contains(l.Per, "client") || len(l.Client) == 1
	if p.actor.Kind == policy.ClientActor && !alone {
		return row
	}
	row.Used = t.Before.String()
	if t.FreesAt != 0 {
		row.FreesAt = statement.FormatTime(t.FreesAt)
	}
	return row
}

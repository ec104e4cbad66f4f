-- Views for auditors' SQL: what the journal's entries say, a row for each thing that people ask about. They are
-- read from the very entries and hold nothing of their own; what proves anything is `kura audit verify`.
-- Times are those of the entries' clock; amounts are digits in smallest units.

create view journal_entries as
    select seq,
           (entry::jsonb ->> 'clock')::timestamptz as clock,
           (entry::jsonb ->> 'time')::timestamptz  as policy_time,
           entry::jsonb ->> 'kind'                 as kind,
           entry::jsonb -> 'body'                  as body
    from journal;

comment on view journal_entries is 'entries of the journal, decoded';

create view statements as
    select seq, clock,
           body ->> 'hash'                as hash,
           body ->> 'type'                as type,
           body -> 'by' ->> 'kind'        as by_kind,
           body -> 'by' ->> 'id'          as by_id,
           body ->> 'key'                 as key,
           (body ->> 'statement')::jsonb  as statement
    from journal_entries
    where kind = 'statement/1';

comment on view statements is 'signed statements, by whom';

create view outcomes as
    select seq, clock,
           body ->> 'about'  as about,
           body ->> 'id'     as id,
           body ->> 'type'   as type,
           body ->> 'state'  as state,
           body ->> 'code'   as code,
           body ->> 'policy' as policy,
           body              as body
    from journal_entries
    where kind = 'outcome/1';

comment on view outcomes is 'what became of statements, each time it was decided';

create view decisions as
    select seq, clock,
           body ->> 'about'                              as about,
           (body ->> 'outcome')::bigint                  as outcome_seq,
           body -> 'decision' ->> 'outcome'              as outcome,
           body -> 'decision' ->> 'code'                 as code,
           body -> 'decision' ->> 'rule'                 as rule,
           (body -> 'decision' ->> 'quorum')::boolean    as quorum,
           (body -> 'decision' ->> 'fee')::numeric       as fee,
           body -> 'decision'                            as decision
    from journal_entries
    where kind = 'reasons/1' and body -> 'decision' ? 'rules';

comment on view decisions is 'decisions about withdrawals, with their reasons';

create view withdrawals as
    select s.seq, s.clock,
           s.statement ->> 'id'          as id,
           s.hash                        as hash,
           s.by_id                       as client,
           s.statement ->> 'wallet'      as wallet,
           s.statement ->> 'destination' as destination,
           s.statement -> 'assets'       as assets,
           s.statement -> 'message'      as message,
           s.statement ->> 'reference'   as reference,
           s.statement ->> 'customer'    as customer,
           case when g.seq is not null and o.state = 'authorized' then 'signed' else o.state end as state,
           o.code                        as code,
           o.seq                         as outcome_seq,
           o.clock                       as decided,
           (o.body -> 'transaction' ->> 'fee')::numeric as fee,
           g.transaction                 as transaction
    from statements s
    left join lateral (
        select * from outcomes where about = s.hash order by seq desc limit 1
    ) o on true
    left join lateral (
        select seq, body ->> 'transaction' as transaction
        from journal_entries
        where kind = 'signature/1' and body ->> 'about' = s.hash
        order by seq desc limit 1
    ) g on true
    where s.type = 'withdrawal/1';

comment on view withdrawals is 'withdrawals and the state that each is in';

create view verdicts as
    select s.seq, s.clock,
           s.by_kind, s.by_id,
           s.statement ->> 'verdict' as verdict,
           r.result ->> 'about'      as about,
           r.result ->> 'state'      as state,
           r.result ->> 'code'       as code,
           s.statement ->> 'reason'  as reason,
           s.statement ->> 'policy'  as policy
    from statements s
    join outcomes o on o.about = s.hash
    cross join lateral jsonb_array_elements(o.body -> 'results') as r(result)
    where s.type = 'verdict/1';

comment on view verdicts is 'what people said about what, and whether it counted';

create view limit_use as
    select d.seq, d.clock, d.about,
           l.trace ->> 'limit'              as limit_id,
           (l.trace ->> 'before')::numeric  as before,
           (l.trace ->> 'after')::numeric   as after,
           (l.trace ->> 'max')::numeric     as max,
           (l.trace ->> 'fits')::boolean    as fits,
           (l.trace ->> 'binds')::boolean   as binds,
           (l.trace ->> 'always')::boolean  as always,
           d.outcome                        as outcome
    from decisions d
    cross join lateral jsonb_array_elements(d.decision -> 'limits') as l(trace);

comment on view limit_use is 'how full each limit was at each decision';

create view alarms as
    select seq, clock, body ->> 'code' as code, body ->> 'about' as about, body -> 'facts' as facts
    from journal_entries
    where kind = 'alarm/1';

comment on view alarms is 'what people were called for';

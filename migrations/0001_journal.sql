-- The journal: a chain of signed heads and the entries under them. Insert-only (see the triggers below).

-- One row for each signed head. Row zero, which this file inserts, stands for the empty journal, so that
-- every signed head has one before it.
create table heads (
    size       bigint not null check (size >= 0),
    root       bytea  not null primary key check (octet_length(root) = 32),
    prev_size  bigint,
    -- One head follows another at most once: this is the compare-and-swap of every append, with any
    -- number of signers. A root names a tree of one size only, so the root alone identifies a head.
    prev       bytea unique,
    checkpoint text not null,
    unique (size, root),
    foreign key (prev_size, prev) references heads (size, root),
    check (case when prev is null then size = 0 and prev_size is null else size > prev_size end)
);

insert into heads (size, root, checkpoint)
values (0, sha256(''), '');

comment on table heads is 'signed heads of the journal; each follows prev';
comment on column heads.size is 'entries under this head';
comment on column heads.root is 'RFC 6962 root of the tree over them';
comment on column heads.checkpoint is 'C2SP tlog-checkpoint, signed by the log key';

-- One row for each entry, keyed by the head under which it was written. Nobody can know a head before it
-- is signed, so a stray row can never stand where an entry is to be written. A row belongs to the journal
-- only if its head is in heads and covers its seq; all others are strays.
create table entries (
    seq   bigint not null check (seq >= 0),
    head  bytea  not null check (octet_length(head) = 32),
    entry text   not null,
    nodes bytea  not null check (octet_length(nodes) > 0 and octet_length(nodes) % 32 = 0),
    primary key (seq, head)
);

comment on table entries is 'entries of the journal, with the tree hashes that each completes';
comment on column entries.head is 'root of the signed head under which it was written';
comment on column entries.entry is 'exact bytes of the entry: one line of JSON';
comment on column entries.nodes is 'RFC 6962 hashes of the leaf and of every subtree that ends with it';

create view journal as
    select entries.seq, entries.entry, entries.nodes
    from entries
    join heads on heads.root = entries.head
              and entries.seq >= heads.prev_size
              and entries.seq < heads.size;

comment on view journal is 'the entries that signed heads cover';

-- The second line of defence behind the service role's rights: nobody changes the past by mistake, not
-- even the owner. Who means to can take the triggers away; verification against the signed heads and the
-- anchors is what finds that.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the journal is insert-only: % on % refused', lower(tg_op), tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;

create trigger heads_insert_only before update or delete or truncate on heads
    for each statement execute function refuse_change();
create trigger entries_insert_only before update or delete or truncate on entries
    for each statement execute function refuse_change();

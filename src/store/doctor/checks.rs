//! The checks, each with its statement.

use super::Check;

/// Every check that one statement can make, in the order in which they are told of.
pub const CHECKS: &[Check] = &[
    Check {
        name: "entries balance",
        holds: "The postings of every entry add up to zero.",
        sql: "select e.business_id, 'jrn' as prefix, e.id,
                     'its postings add up to ' || cast(coalesce(cast(sum(p.amount_minor) as bigint), 0) as text)
                       || ' and are ' || cast(count(p.id) as text) as note
              from journal_entries e left join postings p on p.business_id = e.business_id and p.entry_id = e.id
              group by e.business_id, e.id
              having coalesce(sum(p.amount_minor), 0) <> 0 or count(p.id) < 2 order by 1, 3 limit 101",
    },
    Check {
        name: "receivables",
        holds: "What the ledger says a business owes is what is due on its invoices.",
        sql: "select business_id, 'biz' as prefix, business_id as id,
                     'its invoices leave ' || cast(cast(sum(due) as bigint) as text) || ' ' || currency
                       || ' minor units due, and the ledger says ' || cast(cast(sum(posted) as bigint) as text) as note
              from (select business_id, currency, amount_due_minor as due, 0 as posted from invoices where status <> 'DRAFT'
                    union all
                    select e.business_id, e.currency, 0, p.amount_minor from journal_entries e
                    join postings p on p.business_id = e.business_id and p.entry_id = e.id where p.account = 'RECEIVABLE') as sides
              group by business_id, currency having sum(due) <> sum(posted) order by 1 limit 101",
    },
    Check {
        name: "account credit",
        holds: "A business's account credit is the sum of its movements, and what the ledger says.",
        sql: "select business_id, 'biz' as prefix, business_id as id,
                     'its balance is ' || cast(cast(sum(balance) as bigint) as text) || ' minor units, its movements come to '
                       || cast(cast(sum(moved) as bigint) as text) || ', and the ledger says ' || cast(cast(sum(posted) as bigint) as text) as note
              from (select business_id, balance_minor as balance, 0 as moved, 0 as posted from businesses
                    union all
                    select business_id, 0, amount_minor, 0 from credit_entries
                    union all
                    select business_id, 0, 0, -amount_minor from postings where account = 'ACCOUNT_CREDIT') as sides
              group by business_id having sum(balance) <> sum(moved) or sum(balance) <> sum(posted) order by 1 limit 101",
    },
    Check {
        name: "write-offs",
        holds: "What the ledger has written off is what is due on invoices that were given up on.",
        sql: "select business_id, 'biz' as prefix, business_id as id,
                     cast(cast(sum(due) as bigint) as text) || ' minor units are due on invoices that were given up on, and the ledger has written off '
                       || cast(cast(sum(posted) as bigint) as text) as note
              from (select business_id, amount_due_minor as due, 0 as posted from invoices where status = 'UNCOLLECTIBLE'
                    union all
                    select business_id, 0, -amount_minor from postings where account = 'WRITE_OFF_ALLOWANCE') as sides
              group by business_id having sum(due) <> sum(posted) order by 1 limit 101",
    },
    Check {
        name: "lines",
        holds: "An invoice's lines and taxes add up to its totals.",
        sql: "select i.business_id, 'inv' as prefix, i.id, 'its lines or taxes do not add up to its totals' as note
              from invoices i
              left join (select business_id, invoice_id, sum(amount_minor) as amount, sum(discount_minor) as discount, sum(tax_minor) as tax
                         from invoice_lines group by business_id, invoice_id) l on l.business_id = i.business_id and l.invoice_id = i.id
              left join (select business_id, invoice_id, sum(amount_minor) as tax
                         from invoice_taxes group by business_id, invoice_id) t on t.business_id = i.business_id and t.invoice_id = i.id
              where i.subtotal_minor <> coalesce(l.amount, 0) or i.discount_minor <> coalesce(l.discount, 0)
                 or i.tax_minor <> coalesce(l.tax, 0) or i.tax_minor <> coalesce(t.tax, 0)
                 or i.total_minor <> i.subtotal_minor - i.discount_minor + i.exclusive_tax_minor order by 1, 3 limit 101",
    },
    Check {
        name: "amounts due",
        holds: "What is due on an invoice is its total less what was used, paid and credited, and fits its state.",
        sql: "select business_id, 'inv' as prefix, id,
                     'it is ' || status || ' with ' || cast(amount_due_minor as text) || ' minor units due' as note
              from invoices
              where (status = 'VOID' and amount_due_minor <> 0)
                 or (status in ('OPEN', 'PAID', 'UNCOLLECTIBLE')
                     and amount_due_minor <> total_minor - credit_applied_minor - amount_paid_minor - amount_credited_minor)
                 or (status = 'PAID' and amount_due_minor <> 0)
                 or (status in ('OPEN', 'UNCOLLECTIBLE') and amount_due_minor <= 0) order by 1, 3 limit 101",
    },
    Check {
        name: "numbers",
        holds: "The numbers of documents have no gap.",
        sql: "select cast(null as uuid) as business_id, '' as prefix, cast(null as uuid) as id,
                     series || ' of ' || cast(year as text) || ' has given ' || cast(cast(sum(last) as bigint) as text) || ' numbers, of which '
                       || cast(cast(sum(given) as bigint) as text) || ' are in use, the highest ' || cast(cast(sum(highest) as bigint) as text) as note
              from (select series, year, last_number as last, 0 as given, 0 as highest from invoice_counters
                    union all
                    select series, year, 0, count(*), max(number) from invoice_register group by series, year) as sides
              group by series, year having sum(last) <> sum(given) or sum(last) <> sum(highest) order by 4 limit 101",
    },
    Check {
        name: "numbered documents",
        holds: "Every number belongs to the document that carries it.",
        sql: "select r.business_id, '' as prefix, r.document_id as id,
                     'number ' || cast(r.number as text) || ' of ' || r.series || ' ' || cast(r.year as text) || ' is carried by '
                       || coalesce(i.number, n.number, 'no document') as note
              from invoice_register r
              left join invoices i on i.business_id = r.business_id and i.id = r.document_id
              left join credit_notes n on n.business_id = r.business_id and n.id = r.document_id
              where coalesce(i.number, n.number, '') not like '%-' || cast(r.year as text) || '-'
                || case when r.number < 1000000 then substr(cast(1000000 + r.number as text), 2) else cast(r.number as text) end
              order by 1, 3 limit 101",
    },
    Check {
        name: "documents have numbers",
        holds: "Every issued invoice and every credit note has its number in the register.",
        sql: "select d.business_id, d.prefix, d.id, 'its number is in no register' as note
              from (select business_id, 'inv' as prefix, id from invoices where status <> 'DRAFT'
                    union all select business_id, 'cn', id from credit_notes) as d
              left join invoice_register r on r.business_id = d.business_id and r.document_id = d.id
              where r.number is null order by 1, 3 limit 101",
    },
    Check {
        name: "documents are booked",
        holds: "Every issued invoice and every credit note is entered in the ledger with its total.",
        sql: "select d.business_id, d.prefix, d.id, 'it comes to ' || cast(d.total as text) || ' minor units and the ledger has '
                       || cast(coalesce(cast(sum(p.amount_minor) as bigint), 0) as text) as note
              from (select business_id, 'inv' as prefix, id, 'INVOICE_ISSUED' as kind, total_minor as total from invoices where status <> 'DRAFT'
                    union all select business_id, 'cn', id, 'CREDIT_NOTE_ISSUED', amount_minor from credit_notes) as d
              left join journal_entries e on e.business_id = d.business_id and e.kind = d.kind and e.subject_id = d.id
              left join postings p on p.business_id = e.business_id and p.entry_id = e.id and p.amount_minor > 0
              group by d.business_id, d.prefix, d.id, d.total
              having d.total <> coalesce(sum(p.amount_minor), 0) order by 1, 3 limit 101",
    },
    Check {
        name: "credit notes",
        holds: "The credit notes on an invoice come to no more than its total.",
        sql: "select i.business_id, 'inv' as prefix, i.id,
                     'it comes to ' || cast(i.total_minor as text) || ' minor units, its credit notes to '
                       || cast(cast(sum(n.amount_minor) as bigint) as text) as note
              from invoices i join credit_notes n on n.business_id = i.business_id and n.invoice_id = i.id
              group by i.business_id, i.id, i.total_minor, i.tax_minor
              having sum(n.amount_minor) > i.total_minor or sum(n.tax_minor) > i.tax_minor order by 1, 3 limit 101",
    },
    Check {
        name: "periods",
        holds: "The periods of a subscription follow each other without overlap or hole.",
        sql: "select business_id, 'sub' as prefix, subscription_id as id,
                     'its period ' || cast(number as text) || ' is followed by ' || cast(next_number as text)
                       || case when next_start <> ends_at then ', which does not start where it ends' else '' end as note
              from (select business_id, subscription_id, number, ends_at,
                           lead(number) over (partition by business_id, subscription_id order by number) as next_number,
                           lead(starts_at) over (partition by business_id, subscription_id order by number) as next_start
                    from periods) as p
              where next_number is not null and (next_number <> number + 1 or next_start <> ends_at) order by 1, 3 limit 101",
    },
    Check {
        name: "running periods",
        holds: "A subscription runs in the last of its periods.",
        sql: "select s.business_id, 'sub' as prefix, s.id, 'it does not run in the last of its periods' as note
              from subscriptions s
              left join periods p on p.business_id = s.business_id and p.subscription_id = s.id and p.number = s.period_number
              left join (select business_id, subscription_id, max(number) as number from periods group by business_id, subscription_id) m
                on m.business_id = s.business_id and m.subscription_id = s.id
              where p.id is null or m.number <> s.period_number or p.starts_at <> s.period_start
                 or (p.ends_at <> s.period_end and not (s.status in ('CANCELED', 'EXPIRED') and p.starts_at = p.ends_at))
              order by 1, 3 limit 101",
    },
    Check {
        name: "captured payments",
        holds: "Every captured payment is settled once with its amount, and no other is.",
        sql: "select p.business_id, 'pay' as prefix, p.id,
                     'it is ' || p.status || ' and was settled ' || cast(count(e.id) as text) || ' times' as note
              from payments p
              left join journal_entries e on e.business_id = p.business_id and e.kind = 'PAYMENT_CAPTURED' and e.subject_id = p.id
              left join postings c on c.business_id = e.business_id and c.entry_id = e.id and c.account = 'CASH'
              group by p.business_id, p.id, p.status, p.amount_minor
              having count(e.id) <> (case when p.status in ('SUCCEEDED', 'PARTIALLY_REFUNDED', 'REFUNDED', 'DISPUTED') then 1 else 0 end)
                  or (count(e.id) = 1 and coalesce(sum(c.amount_minor), 0) <> p.amount_minor) order by 1, 3 limit 101",
    },
    Check {
        name: "paid amounts",
        holds: "What an invoice says was paid is what its payments settled of it.",
        sql: "select i.business_id, 'inv' as prefix, i.id,
                     cast(i.amount_paid_minor as text) || ' minor units are paid by its row, and its payments settled '
                       || cast(coalesce(cast(-sum(r.amount_minor) as bigint), 0) as text) as note
              from invoices i
              left join payments p on p.business_id = i.business_id and p.invoice_id = i.id
              left join journal_entries e on e.business_id = p.business_id and e.kind = 'PAYMENT_CAPTURED' and e.subject_id = p.id
              left join postings r on r.business_id = e.business_id and r.entry_id = e.id and r.account = 'RECEIVABLE'
              group by i.business_id, i.id, i.amount_paid_minor
              having i.amount_paid_minor <> coalesce(-sum(r.amount_minor), 0) order by 1, 3 limit 101",
    },
    Check {
        name: "refunds",
        holds: "What a payment says of its refunds is what they come to, and no more than was taken.",
        sql: "select p.business_id, 'pay' as prefix, p.id,
                     'it is ' || p.status || ', and by its row ' || cast(p.refunding_minor as text) || ' minor units are or were being paid back and '
                       || cast(p.refunded_minor as text) || ' were; its refunds come to '
                       || cast(coalesce(cast(r.running as bigint), 0) as text) || ' and ' || cast(coalesce(cast(r.paid as bigint), 0) as text) as note
              from payments p
              left join (select business_id, payment_id, sum(case when status <> 'FAILED' then amount_minor else 0 end) as running,
                                sum(case when status = 'SUCCEEDED' then amount_minor else 0 end) as paid
                         from refunds group by business_id, payment_id) r on r.business_id = p.business_id and r.payment_id = p.id
              where p.refunding_minor <> coalesce(r.running, 0) or p.refunded_minor <> coalesce(r.paid, 0) or p.refunding_minor > p.amount_minor
                 or (p.refunded_minor <> 0 and p.status not in ('PARTIALLY_REFUNDED', 'REFUNDED', 'DISPUTED'))
                 or (p.status = 'PARTIALLY_REFUNDED' and (p.refunded_minor = 0 or p.refunded_minor = p.amount_minor))
                 or (p.status = 'REFUNDED' and p.refunded_minor <> p.amount_minor) order by 1, 3 limit 101",
    },
    Check {
        name: "refunds of credit notes",
        holds: "What a credit note leaves to be paid back is what its refunds come to.",
        sql: "select n.business_id, 'cn' as prefix, n.id,
                     cast(n.to_refund_minor as text) || ' minor units are to be paid back, and its refunds come to '
                       || cast(coalesce(cast(sum(r.amount_minor) as bigint), 0) as text) as note
              from credit_notes n left join refunds r on r.business_id = n.business_id and r.credit_note_id = n.id
              group by n.business_id, n.id, n.to_refund_minor
              having n.to_refund_minor <> coalesce(sum(r.amount_minor), 0) order by 1, 3 limit 101",
    },
    Check {
        name: "settled refunds",
        holds: "Every refund that is over is entered once, as paid or as failed, with its amount, and no other is.",
        sql: "select r.business_id, 'ref' as prefix, r.id,
                     'it is ' || r.status || ' and was entered ' || cast(count(e.id) as text) || ' times' as note
              from refunds r
              left join journal_entries e on e.business_id = r.business_id and e.subject_id = r.id
                and e.kind = case r.status when 'SUCCEEDED' then 'REFUND_PAID' when 'FAILED' then 'REFUND_FAILED' else '' end
              left join journal_entries o on o.business_id = r.business_id and o.subject_id = r.id
                and o.kind in ('REFUND_PAID', 'REFUND_FAILED') and (e.id is null or o.id <> e.id)
              left join postings p on p.business_id = e.business_id and p.entry_id = e.id and p.account = 'REFUNDS'
              group by r.business_id, r.id, r.status, r.amount_minor
              having count(o.id) > 0 or count(e.id) <> (case when r.status in ('SUCCEEDED', 'FAILED') then 1 else 0 end)
                  or (count(e.id) = 1 and coalesce(sum(p.amount_minor), 0) <> r.amount_minor) order by 1, 3 limit 101",
    },
    Check {
        name: "disputed money",
        holds: "What banks hold by the ledger is what their disputes have taken.",
        sql: "select business_id, 'biz' as prefix, business_id as id,
                     cast(cast(sum(held) as bigint) as text) || ' minor units are held by its disputes, and the ledger says '
                       || cast(cast(sum(posted) as bigint) as text) as note
              from (select business_id, amount_minor as held, 0 as posted from disputes where funds = 'TAKEN'
                    union all
                    select business_id, 0, amount_minor from postings where account = 'DISPUTES') as sides
              group by business_id having sum(held) <> sum(posted) order by 1 limit 101",
    },
    Check {
        name: "disputes",
        holds: "A payment is disputed while a bank disputes it or keeps it, and what is kept is credited or written off.",
        sql: "select business_id, prefix, id, note from (
                select d.business_id, 'dsp' as prefix, d.id,
                       'it is ' || d.status || ', its money is ' || d.funds || ', its payment ' || p.status || ', and '
                         || cast(coalesce(r.amount_minor, 0) + d.loss_minor as text) || ' of ' || cast(d.amount_minor as text)
                         || ' minor units are credited or written off' as note
                from disputes d join payments p on p.business_id = d.business_id and p.id = d.payment_id
                left join refunds r on r.business_id = d.business_id and r.id = d.refund_id
                where (d.status in ('NEEDS_RESPONSE', 'UNDER_REVIEW', 'LOST') and p.status <> 'DISPUTED')
                   or (d.funds = 'LOST' and (d.status <> 'LOST' or coalesce(r.status, 'SUCCEEDED') <> 'SUCCEEDED'))
                   or coalesce(r.amount_minor, 0) + d.loss_minor <> (case when d.funds = 'LOST' then d.amount_minor else 0 end)
                union all
                select p.business_id, 'pay', p.id, 'it is DISPUTED, and no bank disputes it' from payments p
                where p.status = 'DISPUTED' and not exists (
                  select 1 from disputes d where d.business_id = p.business_id and d.payment_id = p.id
                    and d.status in ('NEEDS_RESPONSE', 'UNDER_REVIEW', 'LOST'))) as found
              order by 1, 3 limit 101",
    },
    Check {
        name: "client secrets",
        holds: "Only a payment that its customer must act on has a client secret.",
        sql: "select business_id, 'pay' as prefix, id, 'it is ' || status || ' and has a client secret' as note
              from payments
              where status <> 'REQUIRES_ACTION' and (action_client_secret is not null or action_client_secret_sealed is not null)
              order by 1, 3 limit 101",
    },
    Check {
        name: "suspensions",
        holds: "What is suspended has an open invoice, which gives access back when it is settled.",
        sql: "select s.business_id, 'sub' as prefix, s.id, 'it is SUSPENDED, and none of its invoices is open' as note from subscriptions s
              where s.status = 'SUSPENDED' and not exists (
                select 1 from invoices i where i.business_id = s.business_id and i.subscription_id = s.id and i.status = 'OPEN')
              order by 1, 3 limit 101",
    },
    Check {
        name: "recurring revenue",
        holds: "What a subscription counts for is the sum of its movements.",
        sql: "select s.business_id, 'sub' as prefix, s.id,
                     case when s.counted_annual_minor is null then 'it does not count' else 'it counts for ' || cast(s.counted_annual_minor as text)
                       || ' minor units a year' end || ', and its movements come to '
                       || cast(coalesce(cast(sum(m.annual_minor) as bigint), 0) as text) as note
              from subscriptions s
              left join revenue_movements m on m.business_id = s.business_id and m.subscription_id = s.id
              group by s.business_id, s.id, s.counted_annual_minor
              having coalesce(sum(m.annual_minor), 0) <> coalesce(s.counted_annual_minor, 0)
                  or coalesce(sum(m.subscriptions), 0) <> (case when s.counted_annual_minor is null then 0 else 1 end) order by 1, 3 limit 101",
    },
    Check {
        name: "verifications",
        holds: "Who has submitted nothing is unverified, and every approval has an end.",
        sql: "select b.business_id, 'biz' as prefix, b.business_id as id,
                     'it is ' || b.verification_status || case when v.id is null then ' and has submitted nothing' else ' and has submitted something' end
                       || case when v.expires_at is null then ', without an end' else '' end as note
              from businesses b left join verifications v on v.business_id = b.business_id
              where (b.verification_status = 'UNVERIFIED' and v.id is not null) or (b.verification_status <> 'UNVERIFIED' and v.id is null)
                 or (b.verification_status = 'APPROVED' and v.expires_at is null) order by 1 limit 101",
    },
    Check {
        name: "waiting webhooks",
        holds: "What waits for an endpoint of webhooks has a sender at work.",
        sql: "select business_id, prefix, id, note from (
                select e.business_id, 'whk' as prefix, e.id, 'something waits for it, and nobody is at work' as note
                from webhook_endpoints e
                where e.enabled and not e.sending and exists (
                  select 1 from webhook_deliveries d where d.business_id = e.business_id and d.endpoint_id = e.id and d.status = 'PENDING')
                union all
                select w.business_id, 'biz', w.business_id,
                       cast(w.working as text) || ' of its endpoints have a sender at work, and ' || cast(coalesce(j.waiting, 0) as text) || ' jobs send'
                from (select business_id, count(*) as working from webhook_endpoints where sending group by business_id) w
                left join (select business_id, count(*) as waiting from jobs where kind = 'send_webhook' and status = 'READY'
                           group by business_id) j on j.business_id = w.business_id
                where coalesce(j.waiting, 0) < w.working) as found
              order by 1, 3 limit 101",
    },
    Check {
        name: "jobs",
        holds: "No work was given up.",
        sql: "select business_id, 'job' as prefix, id, kind || ' ' || job_key || ' was given up: ' || coalesce(last_error, 'without a word') as note
              from jobs where status = 'DEAD' order by 1, 3 limit 101",
    },
];

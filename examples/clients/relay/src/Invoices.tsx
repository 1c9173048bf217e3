// A list that grows as it is read, and each of its rows.
import { graphql, useFragment, usePaginationFragment } from 'react-relay';

import type { Invoices_invoice$key } from './__generated__/Invoices_invoice.graphql';
import type { Invoices_query$key } from './__generated__/Invoices_query.graphql';
import type { InvoicesPaginationQuery } from './__generated__/InvoicesPaginationQuery.graphql';

/** The caller's invoices, the newest first, five more at a time. */
export function Invoices({ query }: { query: Invoices_query$key }) {
  const { data, hasNext, isLoadingNext, loadNext } = usePaginationFragment<InvoicesPaginationQuery, Invoices_query$key>(
    graphql`
      fragment Invoices_query on Query
      @argumentDefinitions(first: { type: "Int", defaultValue: 5 }, after: { type: "String" })
      @refetchable(queryName: "InvoicesPaginationQuery") {
        invoices(first: $first, after: $after) @connection(key: "Invoices_invoices") {
          totalCount
          edges {
            node {
              id
              ...Invoices_invoice
            }
          }
        }
      }
    `,
    query,
  );
  return (
    <section>
      <ul data-total={data.invoices?.totalCount}>
        {data.invoices?.edges.map(({ node }) => (
          <InvoiceRow key={node.id} invoice={node} />
        ))}
      </ul>
      {hasNext && (
        <button id="more" disabled={isLoadingNext} onClick={() => loadNext(5)}>
          More
        </button>
      )}
    </section>
  );
}

function InvoiceRow({ invoice }: { invoice: Invoices_invoice$key }) {
  const data = useFragment(
    graphql`
      fragment Invoices_invoice on Invoice {
        number
        status
        total {
          amount
          currency
        }
      }
    `,
    invoice,
  );
  return (
    <li>
      {data.number} {data.status} {data.total.currency} {data.total.amount}
    </li>
  );
}

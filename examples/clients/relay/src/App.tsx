// The page: one query for all that its parts need.
import { graphql, useLazyLoadQuery } from 'react-relay';

import type { AppQuery } from './__generated__/AppQuery.graphql';
import { CurrentPlan } from './CurrentPlan';
import { Invoices } from './Invoices';

/** What somebody who is signed in sees. */
export function App() {
  const data = useLazyLoadQuery<AppQuery>(
    graphql`
      query AppQuery {
        viewer {
          user {
            fullName
          }
        }
        subscription(product: "erp") {
          plan {
            id
          }
          ...CurrentPlan_subscription
        }
        plans(product: "erp") {
          nodes {
            id
            requiresVerification
          }
        }
        ...Invoices_query
      }
    `,
    {},
  );
  const { subscription } = data;
  const other = data.plans?.nodes.find((plan) => plan.id !== subscription?.plan.id && !plan.requiresVerification);
  return (
    <main>
      <h1>{data.viewer?.user?.fullName}</h1>
      {subscription && other && <CurrentPlan subscription={subscription} other={other.id} />}
      <Invoices query={data} />
    </main>
  );
}

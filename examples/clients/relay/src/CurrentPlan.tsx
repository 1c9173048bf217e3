// A thing that is read again by its id, and changed by one order.
import { useState } from 'react';
import { graphql, useMutation, useRefetchableFragment } from 'react-relay';

import type { CurrentPlan_subscription$key } from './__generated__/CurrentPlan_subscription.graphql';
import type { CurrentPlanCancelMutation } from './__generated__/CurrentPlanCancelMutation.graphql';
import type { CurrentPlanChangeMutation } from './__generated__/CurrentPlanChangeMutation.graphql';
import type { CurrentPlanRefetchQuery } from './__generated__/CurrentPlanRefetchQuery.graphql';

/** A subscription's plan, and what becomes of it when its period ends. */
export function CurrentPlan({ subscription, other }: { subscription: CurrentPlan_subscription$key; other: string }) {
  const [data, refetch] = useRefetchableFragment<CurrentPlanRefetchQuery, CurrentPlan_subscription$key>(
    graphql`
      fragment CurrentPlan_subscription on Subscription @refetchable(queryName: "CurrentPlanRefetchQuery") {
        id
        version
        plan {
          name
        }
        pendingChange {
          plan {
            name
          }
        }
      }
    `,
    subscription,
  );
  const [change, isChanging] = useMutation<CurrentPlanChangeMutation>(graphql`
    mutation CurrentPlanChangeMutation($input: ChangePlanInput!) {
      changePlan(input: $input) {
        subscription {
          ...CurrentPlan_subscription
        }
        userErrors {
          code
          message
          field
        }
      }
    }
  `);
  const [cancel] = useMutation<CurrentPlanCancelMutation>(graphql`
    mutation CurrentPlanCancelMutation($input: CancelPlanChangeInput!) {
      cancelPlanChange(input: $input) {
        subscription {
          ...CurrentPlan_subscription
        }
        userErrors {
          code
          message
          field
        }
      }
    }
  `);
  // One key for each order that a person gives, the same for each time it is sent: however often the button is pressed.
  const [idempotencyKey] = useState(() => crypto.randomUUID());
  const [problem, setProblem] = useState<string | null>(null);

  const order = (planId: string) =>
    change({
      variables: { input: { subscriptionId: data.id, planId, timing: 'PERIOD_END', idempotencyKey } },
      onCompleted: ({ changePlan }) => setProblem(changePlan?.userErrors[0]?.code ?? null),
    });

  return (
    <section>
      <p id="plan" data-version={data.version}>
        {data.plan.name}
        {data.pendingChange && `, then ${data.pendingChange.plan.name}`}
      </p>
      {problem && <p role="alert">{problem}</p>}
      <button id="change" disabled={isChanging} onClick={() => order(other)} />
      <button id="wrong" disabled={isChanging} onClick={() => order('pln_of_nobody')} />
      <button id="cancel" onClick={() => cancel({ variables: { input: { subscriptionId: data.id } } })} />
      <button id="refetch" onClick={() => refetch({}, { fetchPolicy: 'network-only' })} />
    </section>
  );
}

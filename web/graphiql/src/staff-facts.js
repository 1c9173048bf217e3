// What the staff API's examples need to know. Pure: everything comes from the answer to `STAFF_FACTS`.

/** Reads an answer's `data`; a field that failed (a role may not read everything) is as if it held nothing. */
export function readStaffFacts(data) {
  const member = data?.staffViewer;
  const newest = data?.businesses?.nodes?.[0];
  return {
    // In the shape of the other API's viewer: who, and for whom they act.
    viewer: member ? { user: member, business: { businessName: member.role } } : null,
    business: newest ? { id: newest.id, ...newest.business } : null,
    ticket: data?.supportTickets?.nodes?.[0] ?? null,
  };
}

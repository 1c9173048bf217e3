// A client that signs in, sends its token, and renews it once for all the requests that find it too old.
import { authExchange } from '@urql/exchange-auth';
import { Client, type CombinedError, cacheExchange, fetchExchange } from '@urql/core';

import { graphql } from './gql';
import type { AuthTokens } from './gql/graphql';

const SignIn = graphql(`
  mutation SignIn($input: SignInInput!) {
    signIn(input: $input) {
      session { accessToken refreshToken }
      userErrors { code message field }
    }
  }
`);

const RefreshSession = graphql(`
  mutation RefreshSession($input: RefreshSessionInput!) {
    refreshSession(input: $input) {
      session { accessToken refreshToken }
      userErrors { code message field }
    }
  }
`);

/** What a client keeps of a session. In a browser: in memory, the refresh token where the page's own scripts alone reach it. */
export type Session = Pick<AuthTokens, 'accessToken' | 'refreshToken'>;

/** Whether the first error of an answer is of that code; `code` is of a closed list, and an unknown one is to be read as INTERNAL. */
export function hasCode(error: CombinedError | undefined, code: string): boolean {
  return error?.graphQLErrors.some((one) => one.extensions.code === code) ?? false;
}

/** Signs in with e-mail and password. What a person can put right comes as `userErrors`: here, that the password is wrong. */
export async function signIn(url: string, email: string, password: string): Promise<Session> {
  const client = new Client({ url, preferGetMethod: false, exchanges: [fetchExchange] });
  const { data, error } = await client.mutation(SignIn, { input: { email, password } }).toPromise();
  if (error) throw error;
  const payload = data?.signIn;
  if (!payload?.session) throw new Error(payload?.userErrors[0]?.message ?? 'no answer');
  return payload.session;
}

/** A client of somebody who is signed in. */
export function clientOf(url: string, session: Session, keep: (session: Session) => void): Client {
  // Null while it is being renewed: a request with a token that is not good is refused whatever it asks, `refreshSession` too.
  let token: string | null = session.accessToken;
  let { refreshToken } = session;
  return new Client({
    url,
    // A query's address is logged on its way; bodies are not. (Mutations are refused by GET.)
    preferGetMethod: false,
    fetchOptions: { headers: { accept: 'application/graphql-response+json' } },
    exchanges: [
      cacheExchange,
      authExchange(async (utilities) => ({
        addAuthToOperation: (operation) => (token ? utilities.appendHeaders(operation, { authorization: `Bearer ${token}` }) : operation),
        didAuthError: (error) => hasCode(error, 'UNAUTHENTICATED'),
        // A refresh token is good once: a second use of it ends the session, so this one place renews.
        refreshAuth: async () => {
          token = null;
          const renewed = await utilities.mutate(RefreshSession, { input: { refreshToken } });
          const next = renewed.data?.refreshSession?.session;
          if (!next) return;
          token = next.accessToken;
          refreshToken = next.refreshToken;
          keep(next);
        },
      })),
      fetchExchange,
    ],
  });
}

/** `POST /api/session` {token}: sets the cookie (HttpOnly, SameSite=Strict). 204; 401 for another token. `DELETE /api/session` takes it away. */
export interface SessionRequestBody {
  /**
   * Behind `#t=` of the address that the terminal printed. The page takes it out of the address at once (history.replaceState). A route may
   * stand behind it: `#t=TOKEN/runs/ID` is the token, then `#/runs/ID`.
   */
  readonly token: string
}

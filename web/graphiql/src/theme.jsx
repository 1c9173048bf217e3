// Light, dark, or as the system has it. GraphiQL keeps the choice; the buttons stand in the bar above it.

import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect } from "react";
import { createPortal } from "react-dom";

const SUN = <path d="M12 7.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM12 2v2.2M12 19.8V22M4.9 4.9l1.6 1.6M17.5 17.5l1.6 1.6M2 12h2.2M19.8 12H22M4.9 19.1l1.6-1.6M17.5 6.5l1.6-1.6" />;
const SCREEN = <path d="M4 5h16v11H4zM9 20h6M12 16v4" />;
const MOON = <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z" />;
const CHOICES = [
  { theme: "light", label: "Light", icon: SUN },
  { theme: null, label: "As the system", icon: SCREEN },
  { theme: "dark", label: "Dark", icon: MOON },
];

/** The three buttons, drawn into `place`. */
export function ThemeSwitch({ place }) {
  const theme = useGraphiQL((state) => state.theme);
  const { setTheme } = useGraphiQLActions();

  // GraphiQL looks at the system's theme when a choice is made; the editors are to follow it whenever it changes.
  useEffect(() => {
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    const follow = () => theme === null && setTheme(null);
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, [theme, setTheme]);

  if (!place) return null;
  const buttons = CHOICES.map(({ theme: choice, label, icon }) => (
    <button key={label} type="button" aria-label={label} title={label} aria-pressed={theme === choice} onClick={() => setTheme(choice)}>
      <svg viewBox="0 0 24 24" aria-hidden="true">{icon}</svg>
    </button>
  ));
  return createPortal(buttons, place);
}
